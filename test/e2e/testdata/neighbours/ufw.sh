# The real ufw, with its defaults.
[ -r /etc/ufw/user.rules ] || { echo ufw may not read its files here; exit 77; }
if ufw status | grep -q 'Status: active'; then ufw reload; else ufw --force enable; fi

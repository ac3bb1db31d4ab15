# The real ufw, with its defaults.
if ufw status | grep -q 'Status: active'; then ufw reload; else ufw --force enable; fi

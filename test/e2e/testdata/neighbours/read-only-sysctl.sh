# A container that may make links but no settings.
mountpoint -q /proc/sys || mount -o bind,ro /proc/sys /proc/sys

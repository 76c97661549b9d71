#!/bin/sh
# own_paths.sh ROOT FOLDER COMMAND... - in a mount namespace of its own: what was unpacked lies over this machine's /usr,
# the settings of systemd-resolved are those in FOLDER, and there is a user for it. Nothing of it is seen outside.
set -e

root=$1 folder=$2
shift 2
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$root/usr:/usr" /usr
if [ -f "$folder/resolved.conf" ]; then
	mount -t tmpfs none /run
	mkdir -p /run/systemd/resolve
	cp /etc/passwd "$folder/passwd"
	cp /etc/group "$folder/group"
	echo "systemd-resolve:x:65533:65533::/:/usr/sbin/nologin" >>"$folder/passwd"
	echo "systemd-resolve:x:65533:" >>"$folder/group"
	chown 65533:65533 /run/systemd/resolve
	mount -t tmpfs none /mnt
	cp -a /etc/. /mnt/
	mkdir -p /mnt/systemd
	cp "$folder/passwd" "$folder/group" /mnt/
	cp "$folder/resolved.conf" /mnt/systemd/resolved.conf
	mount --bind /mnt /etc
fi
exec "$@"

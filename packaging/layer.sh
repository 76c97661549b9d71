# shellcheck shell=sh
# Read by what works in a Debian of its own, in mounts and processes of its own (unshare --mount --pid --fork):
#
#   open_layer ROOT SPACE   a layer over the folder ROOT, in which debootstrap made a Debian; what is written goes to the
#                           folder SPACE. $dir is the Debian from then on. The mounts end with the process
#   inside command...       runs it there

open_layer() {
	mount --make-rprivate /
	mkdir -p "$2/upper" "$2/work" "$2/root"
	mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" || return 1
	dir=$2/root
	mount -t proc proc "$dir/proc"
	mount --bind /dev "$dir/dev"
	mount -t tmpfs tmpfs "$dir/run"
	cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
	cp -L /etc/hosts "$dir/etc/hosts"
	# Nothing is started by an installation.
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod 755 "$dir/usr/sbin/policy-rc.d"
}

# In front of `inside` a caller may have set $network: a command that runs the rest in another network.
inside() {
	# shellcheck disable=SC2086
	${network:-} chroot "$dir" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

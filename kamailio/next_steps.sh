#!/bin/sh
# next_steps.sh SUITE|DIR BUILD - says what can be done with the executable that `make kamailio` made.
set -eu

what=${1:?usage: next_steps.sh SUITE|DIR BUILD}
build=$(cd "${2:?}" && pwd)
case $what in
bookworm | trixie) ;;
*)
	echo "The executable is $build/kamailio-tree-*: docs/drop-in.md says how to build it in the tree itself."
	exit 0
	;;
esac
libdir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
cat <<END2
$build/kamailio-$what has the folders and flags of Debian's own in $what, and loads the modules of Debian's packages.
To put it in place, as root; dpkg keeps Debian's beside it, and updates of Debian's do not overwrite it:

  make install PREFIX=/usr LIBDIR=$libdir
  dpkg-divert --local --rename --divert /usr/sbin/kamailio.debian --add /usr/sbin/kamailio
  install -m 755 $build/kamailio-$what /usr/sbin/kamailio
  systemctl restart kamailio && kamcmd dns.stats        # came_in: linked

And back:

  rm /usr/sbin/kamailio
  dpkg-divert --local --rename --remove /usr/sbin/kamailio
  systemctl restart kamailio

After an update of Debian's kamailio its modules may be of another version than this executable: go back, or build again.
\`make kamailio-deb\` makes packages of the same. KAMAILIO_MODULES=none builds no modules.
END2

# shellcheck shell=sh
# Read by what makes packages of Debian. `root` is the folder of this project, `work` one of the reader's own, `out` where
# packages go, `version` and `maintainer` theirs; SOURCE_DATE_EPOCH is the time of all files.

arch=$(dpkg --print-architecture)
libdir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
maintainer=${DEB_MAINTAINER:-kamailio-dns <kamailio-dns@localhost>}

# begin PACKAGE: its folder is $folder from here on
begin() {
	package=$1
	folder=$work/$package
	mkdir -p "$folder/DEBIAN"
	docs=$folder/usr/share/doc/$package
	mkdir -p "$docs"
}

# needs FILE...: the packages that these need, as dpkg-shlibdeps finds them
needs() {
	mkdir -p "$work/needs/debian"
	printf 'Source: kamailio-dns\n\nPackage: %s\nArchitecture: any\n' "$package" >"$work/needs/debian/control"
	# The library itself is not installed; what needs it says so with its version.
	(cd "$work/needs" && dpkg-shlibdeps --ignore-missing-info -l"$work/libkamailio-dns0$libdir" -O "$@" 2>"$work/log") |
		sed -n 's/^shlibs:Depends=//p' | tr ',' '\n' | sed 's/^ *//' | grep -v '^libkamailio-dns0' | paste -sd, |
		sed 's/,/, /g'
}

strip_library() {
	strip --strip-unneeded --remove-section=.comment "$1"
}

# finish "FIELD: value..." with the description on standard input
finish() {
	cp "$root/packaging/copyright" "$docs/copyright"
	cat "$root/NOTICES" >>"$docs/copyright"
	{
		echo "kamailio-dns ($version) unstable; urgency=medium"
		echo
		echo "  * See CHANGELOG.md of the sources."
		echo
		echo " -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")"
	} | gzip -9n >"$docs/changelog.Debian.gz"
	find "$folder/usr/share/man" -name '*.[1-9]' -exec gzip -9n {} + 2>/dev/null || true
	find "$folder" -type d -exec chmod 755 {} +
	find "$folder/usr" -type f ! -perm -u+x -exec chmod 644 {} +
	find "$folder/usr" -type f -perm -u+x -exec chmod 755 {} +
	{
		echo "Package: $package"
		echo "Source: kamailio-dns"
		echo "Version: $version"
		echo "Architecture: $arch"
		echo "Maintainer: $maintainer"
		echo "Installed-Size: $(du -sk --apparent-size "$folder/usr" | cut -f 1)"
		printf '%s\n' "$1"
		echo "Priority: optional"
		cat
	} >"$folder/DEBIAN/control"
	(cd "$folder" && find usr -type f | sort | xargs md5sum) >"$folder/DEBIAN/md5sums"
	find "$folder/DEBIAN" -type f -exec chmod 644 {} +
	for script in postinst prerm postrm; do
		[ ! -f "$folder/DEBIAN/$script" ] || chmod 755 "$folder/DEBIAN/$script"
	done
	dpkg-deb -Zxz --root-owner-group --build "$folder" "$out/${package}_${version}_$arch.deb" >/dev/null
	echo "$out/${package}_${version}_$arch.deb"
}

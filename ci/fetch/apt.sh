# shellcheck shell=sh
# Read by what fetches or installs packages: apt with a Debian suite of one's choice. No host is named here: the
# archive, and the keys it is signed with, are those that this machine's own apt uses. apt's own lists stay as they are.

# The first archive with the component main among apt's sources, deb822 or one line each:
# "URI keyring", the keyring empty when apt is not told one.
archive() {
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk -v RS= '{
			uri = key = ""; main = deb = 0; n = split($0, line, "\n")
			for (i = 1; i <= n; i++) {
				if (line[i] ~ /^#/) continue
				split(line[i], word, /[ \t]+/)
				if (word[1] == "URIs:") uri = word[2]
				if (word[1] == "Signed-By:") key = word[2]
				if (line[i] ~ /^Types:.*deb/) deb = 1
				if (line[i] ~ /^Components:.*main/) main = 1
				if (line[i] ~ /^Suites:.*security/ || line[i] ~ /^Enabled:.*no/) main = 0
			}
			if (uri && deb && main) print uri, key
		}' "$f"
	done
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		awk '/^deb[ \t]/ && / main/ && !/security/ {
			key = ""
			if (match($0, /signed-by=[^] \t]+/)) key = substr($0, RSTART + 10, RLENGTH - 10)
			sub(/\[[^]]*\]/, "")
			print $2, key
		}'
}

# own_apt FOLDER SUITE TYPE [ARCHITECTURE]: apt's settings for that suite, deb or deb-src, in a folder of their own. SUITE
# may be one of security updates: their archive stands beside the other one.
own_apt() {
	archive | head -n 1 >"$1/archive"
	read -r uri key <"$1/archive" || true
	[ -n "${uri:-}" ] || {
		echo "no Debian archive among this machine's apt sources" >&2
		return 1
	}
	case $2 in
	*-security) uri=${uri%/}-security ;;
	esac
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	{
		echo "Types: $3"
		echo "URIs: $uri"
		echo "Suites: $2"
		echo "Components: main"
		[ -z "${key:-}" ] || echo "Signed-By: $key"
	} >"$1/apt.sources"
	apt_folder=$1
	apt_architecture=${4:-$(dpkg --print-architecture)}
}

apt() {
	apt-get -q -o Dir::Etc::sourcelist="$apt_folder/apt.sources" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$apt_folder/lists" -o Dir::Cache="$apt_folder/cache" -o APT::Sandbox::User=root \
		-o "APT::Architecture=$apt_architecture" -o "APT::Architectures=$apt_architecture" -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o APT::Update::Error-Mode=any "$@"
}

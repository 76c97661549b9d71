# shellcheck shell=sh
# Read by checks that run probe.c: a module that calls the DNS functions at every moment of the server's life.

# Builds it for the tree $KAM_TREE, in a folder with the tree's own modules, which KAM_MODULES is set to.
build_probe() {
	src=$KAM_TREE/src
	folder=$(mktemp -d "$scratch/modules.XXXXXX") || exit 1
	# The flags that the tree's modules are built with: version strings have to agree.
	if [ -f "$src/config.mak" ]; then
		printf 'include config.mak\np:;@:\n$(info @C $(CC) $(CFLAGS) $(C_DEFS))\n' >"$scratch/flags.mak"
		compile=$(make -s --no-print-directory -C "$src" -f "$scratch/flags.mak" p | sed -n 's/^@C //p')
	else
		flags=$(find "$KAM_TREE" -path '*/kamailio.dir/flags.make' | head -n 1)
		compile="cc $(sed -n 's/^C_DEFINES = //p; s/^C_FLAGS = //p; s/^C_INCLUDES = //p' "$flags" | tr '\n' ' ')"
	fi
	for module in "$KAM_MODULES"/*.so; do
		ln -s "$(readlink -f "$module")" "$folder/"
	done
	eval "$compile -fPIC -shared -DMOD_NAME='\"probe\"' -DMOD_NAMEID=probe -I'$src' -o '$folder/probe.so' '$checks/probe.c'" \
		>"$scratch/out" 2>&1 || bad "probe.c does not compile" "$scratch/out"
	hasnt "probe.c compiles without a warning" 'warning' "$scratch/out"
	KAM_MODULES=$folder
}

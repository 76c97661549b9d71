#!/bin/sh
# modules.sh SUITE|DIR - the tree's modules, built without a change, with the library: all load, and work.

. "$(dirname "$0")/lib.sh"
. "$checks/use_modules.sh"

start_dns "$checks/example.zone"
port=15100
wanted_symbols
# shellcheck disable=SC2046,SC2012
load_each $(cd "$KAM_MODULES" && ls | sed 's/\.so$//')
use_modules
finish

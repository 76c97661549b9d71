# shellcheck shell=sh
# Read by platforms.sh: Rust tests that are left out in an emulator of programs (qemu-user), and why.

# emulated_table [short]: lines of a test and why. Linux never hears of a lock in an emulated process, so that of one
# that was killed is not passed on. And it does not start a program of the other machine. The short form leaves out what
# takes a minute there, too.
emulated_table() {
	cat <<-END
		a_writer_killed_at_any_point_is_repaired                 kills the owner of a lock
		a_writer_killed_at_any_point_of_a_full_cache_is_repaired kills the owner of a lock
		a_writer_killed_in_a_change_of_the_reserve_is_repaired   kills the owner of a lock
		a_thousand_deaths_at_random_moments                      kills the owner of a lock
		writers_killed_at_random_leave_a_sound_cache             kills the owner of a lock
		killed_askers_and_waiters_hold_nobody_up                 kills processes that may own a lock
		an_asker_killed_at_any_point_holds_nobody_up             kills processes that may own a lock
		releasing_entries_logs_nothing                           starts its program anew
		every_way_gives_what_the_model_gives                     starts its program anew
		the_table_of_sizes_is_true                               starts its program anew
	END
	[ "${1:-}" != short ] || cat <<-END
		readers_find_everything_during_a_repair                  takes a minute there: make platforms-all
		large_groups                                             takes a minute there: make platforms-all
	END
}

# emulated_skips [short]: what tells cargo test to leave them out
emulated_skips() {
	emulated_table "$@" | while read -r test _; do
		printf -- ' --skip %s' "$test"
	done
}

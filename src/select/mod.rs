//! RFC 3263 / 2782 / 3403: from a name to targets, and on to the next target.

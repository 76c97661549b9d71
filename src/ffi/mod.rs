//! The C surface. Nothing else in the crate uses it.

//! The library's own interface for programs: a context with many requests under way, none of which holds anybody up.
//!
//! A [`Context`] has an [`engine`](engine::Engine) that runs searches ([`crate::select::suspended`]) and their
//! questions ([`crate::lookup::asker`]). A thread that works with the engine has taken it out of the context: the
//! context's lock is held for moments alone, never while something is sent, stored or said. The end of a [`Request`] is
//! its [`Outcome`].

mod context;
mod engine;
mod failed;
mod finished;
mod present;
mod request;
mod watch;

pub use context::{Context, Refused, Setting, is_target, ready};
pub use present::{text, wire};
pub use request::{Found, Outcome, Request, Trouble};
pub use watch::{Changes, Watch};

pub use crate::lookup::suspended::{Asks, use_answers, use_answers_too};
pub use crate::select::sip_uri::{Destination, parse as parse_uri};
pub use crate::select::suspended::{Lack, Search, Target, Terms};

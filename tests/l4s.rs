//! L4S (RFC 9331): which text is sent as ECT(1), what is made of its feedback, and how Prague answers, for two connections over
//! a path that marks, changes and loses packets.

mod codepoint;
mod feedback;
mod response;
mod world;

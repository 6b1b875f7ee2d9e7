//! Signatures on segments (TCP-AO, RFC 5925; TCP MD5, RFC 2385): the room for them, the octets that they cover, who judges what
//! arrives, and what forged segments do: nothing. Keys and algorithms are those of `examples/tcp-ao`, whose tests have the published
//! vectors; here a sum stands for a MAC.

mod hostile;
mod numbers;
mod options;
mod room;

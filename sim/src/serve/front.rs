//! The interface between the server and a protocol: bytes in, bytes out. The server owns the sockets, the bus owns the
//! device.

use super::bus::{Bus, Completion};

/// What a message from the other end requires of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All received bytes were handled.
    Stay,
    /// One message was handled, and there may be another one.
    More,
    /// The other end wants the device: the server either calls [`Front::plug`] or [`Front::refuse`].
    Claim,
    /// As [`More`](Self::More), with a text for the log.
    Say(String),
    /// The conversation is over.
    Close,
}

/// One connection's end of a protocol.
pub trait Front {
    /// What is sent before the other end sends anything.
    fn greet(&mut self, out: &mut Vec<u8>);

    /// Takes bytes from the other end, and handles at most one message.
    ///
    /// # Errors
    ///
    /// A message if the other end violates the protocol: the connection cannot be used any more.
    fn receive(&mut self, bytes: &[u8], bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String>;

    /// The device is available, freshly enumerated. Returns whether the other end has it now.
    fn plug(&mut self, bus: &Bus, out: &mut Vec<u8>) -> bool;

    /// The device has left the bus by itself. Returns whether the connection can be used when it returns.
    fn unplug(&mut self, out: &mut Vec<u8>) -> bool;

    /// The other end cannot have the device: it is in use, or does not answer.
    fn refuse(&mut self, out: &mut Vec<u8>);

    /// A transfer has ended.
    fn complete(&mut self, completion: &Completion, bus: &mut Bus, out: &mut Vec<u8>);
}

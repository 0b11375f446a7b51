//! Where to listen, and what the user has to type at the other end.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The default port of `usbip`.
const USBIP_PORT: u16 = 3240;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Path(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl ListenAddress {
    /// An address for usbredir: ADDRESS:PORT, or the path of a Unix socket.
    #[must_use]
    pub fn usbredir(word: &str) -> Self {
        word.parse().map_or_else(|_| Self::Path(word.into()), Self::Tcp)
    }

    /// An address for USB/IP: ADDRESS or ADDRESS:PORT.
    ///
    /// # Errors
    ///
    /// A message if the word is not an address.
    pub fn usbip(word: &str) -> Result<Self, String> {
        word.parse()
            .or_else(|_| word.parse().map(|ip| SocketAddr::new(ip, USBIP_PORT)))
            .map(Self::Tcp)
            .map_err(|_| format!("`{word}` is not an address; try 127.0.0.1:{USBIP_PORT}"))
    }
}

/// The options of `serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Offer the device by usbredir.
    pub usbredir: Option<ListenAddress>,
    /// Offer the device by USB/IP.
    pub usbip: Option<ListenAddress>,
    /// Allow addresses other than loopback.
    pub listen_anywhere: bool,
    /// A file that gets one line per command, tab-separated: name, LBA, blocks, bytes, status.
    pub record: Option<PathBuf>,
    /// Do not print a line for each command.
    pub quiet: bool,
}

impl Options {
    /// Checks the options for contradictions.
    ///
    /// # Errors
    ///
    /// A message: nothing to listen on, or an address that other machines can reach without `--listen-anywhere`.
    pub fn check(&self) -> Result<(), String> {
        let addresses = [&self.usbredir, &self.usbip];
        if addresses.iter().all(|address| address.is_none()) {
            return Err("serve needs --usbredir SOCKET or --usbip ADDRESS:PORT".to_owned());
        }
        for address in addresses.into_iter().flatten() {
            if let ListenAddress::Tcp(address) = address
                && !address.ip().is_loopback()
                && !self.listen_anywhere
            {
                return Err(format!(
                    "{address} can be reached from other machines, which could then use the device: \
                     add --listen-anywhere if that is intended"
                ));
            }
        }
        Ok(())
    }

    /// The commands that attach the device, ready to be pasted.
    #[must_use]
    pub fn how_to_attach(&self) -> String {
        let mut text = String::new();
        if let Some(address) = &self.usbredir {
            let chardev = match address {
                ListenAddress::Tcp(address) => {
                    format!("socket,id=picovd,host={},port={}", address.ip(), address.port())
                }
                ListenAddress::Path(path) => {
                    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                    format!("socket,id=picovd,path={}", path.display())
                }
            };
            text += &format!(
                "usbredir on {address}. For a virtual machine, add to QEMU's command line:\n\
                 \x20   -device qemu-xhci -chardev {chardev} -device usb-redir,chardev=picovd\n\
                 or, if it is running already and has a USB controller, type into its monitor:\n\
                 \x20   chardev-add {chardev}\n\
                 \x20   device_add usb-redir,chardev=picovd,id=picovd\n"
            );
        }
        if let Some(ListenAddress::Tcp(address)) = &self.usbip {
            let port = match address.port() {
                USBIP_PORT => String::new(),
                port => format!("--tcp-port {port} "),
            };
            let host = if address.ip().is_unspecified() { "ADDRESS".to_owned() } else { address.ip().to_string() };
            text += &format!(
                "USB/IP on {address}. On Linux (Debian package usbip):\n\
                 \x20   sudo modprobe vhci-hcd\n\
                 \x20   sudo usbip {port}attach --remote={host} --busid={}\n\
                 and to unplug it, with the port number that `sudo usbip port` shows:\n\
                 \x20   sudo usbip detach --port=00\n",
                super::usbip::BUS_ID
            );
        }
        text + "Ctrl-C stops.\n"
    }
}

#[cfg(test)]
mod tests {
    use super::{ListenAddress, Options};

    #[test]
    fn only_loopback_unless_told_otherwise() {
        let mut options = Options::default();
        assert!(options.check().is_err());
        options.usbip = Some(ListenAddress::usbip("127.0.0.1").unwrap());
        assert!(options.check().is_ok());
        assert!(options.how_to_attach().contains("usbip attach --remote=127.0.0.1 --busid=1-1"));
        options.usbip = Some(ListenAddress::usbip("0.0.0.0:1234").unwrap());
        assert!(options.check().is_err());
        options.listen_anywhere = true;
        assert!(options.check().is_ok());
        options.usbip = None;
        options.usbredir = Some(ListenAddress::usbredir("/tmp/picovd.sock"));
        assert!(options.check().is_ok());
        assert!(ListenAddress::usbip("nonsense").is_err());
    }
}

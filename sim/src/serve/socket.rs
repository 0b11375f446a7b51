//! Listening and communicating, on TCP and Unix sockets alike.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use super::options::ListenAddress;

/// How long a write may wait for the other end to read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connected stream.
pub trait Socket: Read + Write + Send {
    /// A second handle on the same stream.
    fn twin(&self) -> io::Result<Box<dyn Socket>>;
    /// Closes the connection in both directions; a reader sees the end.
    fn close(&self);
}

impl Socket for TcpStream {
    fn twin(&self) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn close(&self) {
        // It may have ended already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

#[cfg(unix)]
impl Socket for UnixStream {
    fn twin(&self) -> io::Result<Box<dyn Socket>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn close(&self) {
        // It may have ended already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// Where connections come from.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, whose file is removed with the listener.
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on an address. A stale socket file is replaced; one in use is not.
    pub fn bind(address: &ListenAddress) -> Result<Self, String> {
        let fail = |error: io::Error| format!("cannot listen on {address}: {error}");
        match address {
            ListenAddress::Tcp(address) => {
                let listener = TcpListener::bind(address).map_err(fail)?;
                listener.set_nonblocking(true).map_err(fail)?;
                Ok(Self::Tcp(listener))
            }
            #[cfg(unix)]
            ListenAddress::Path(path) => {
                let left_behind = UnixStream::connect(path).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused);
                if left_behind {
                    std::fs::remove_file(path).map_err(fail)?;
                }
                let listener = UnixListener::bind(path).map_err(fail)?;
                listener.set_nonblocking(true).map_err(fail)?;
                Ok(Self::Unix(listener, path.clone()))
            }
            #[cfg(not(unix))]
            ListenAddress::Path(_) => Err(format!("{address}: this system has no Unix sockets; give ADDRESS:PORT")),
        }
    }

    /// The next connection, if one waits.
    pub fn accept(&self) -> Result<Option<Box<dyn Socket>>, String> {
        let socket: io::Result<Box<dyn Socket>> = match self {
            Self::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                // Answers are small and urgent.
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                Ok(Box::new(stream) as Box<dyn Socket>)
            }),
            #[cfg(unix)]
            Self::Unix(listener, _) => listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(false)?;
                stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                Ok(Box::new(stream) as Box<dyn Socket>)
            }),
        };
        match socket {
            Ok(socket) => Ok(Some(socket)),
            // The other end may have closed the connection before it was accepted.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!("cannot take a connection: {error}")),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Self::Unix(_, path) = self {
            // A stale file is replaced at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

//! Opening the sockets.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
use nix::sys::stat::Mode;

use crate::error::Error;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// Listens on a TCP address; without a token on loopback ones only.
pub(crate) fn tcp(address: &str, has_token: bool) -> Result<(TcpListener, SocketAddr), Error> {
    let found: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|source| Error::Address {
            address: address.to_owned(),
            source,
        })?
        .collect();
    if !has_token && !found.iter().all(|address| is_loopback(address.ip())) {
        return Err(Error::NotLoopback {
            address: address.to_owned(),
        });
    }
    bind(&found).map_err(|source| Error::Bind {
        address: address.to_owned(),
        source,
    })
}

fn bind(addresses: &[SocketAddr]) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(addresses)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// A unix socket that is listened on; dropped, it takes its file away.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    path: PathBuf,
    /// Device and inode: by the time of the drop another program may have
    /// replaced the file.
    identity: (u64, u64),
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let identity = fs::symlink_metadata(&self.path).map(|file| (file.dev(), file.ino()));
        if identity.is_ok_and(|identity| identity == self.identity) {
            // What cannot be removed is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens on a unix socket of mode 0600.
pub(crate) fn unix(path: &Path) -> Result<(UnixListener, UnixSocket), Error> {
    clear_stale(path)
        .and_then(|()| bind_private(path))
        .map_err(|source| Error::UnixSocket {
            path: path.to_owned(),
            source,
        })
}

/// Removes a socket of this user on which nobody listens.
fn clear_stale(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.file_type().is_socket() {
        return Err(in_the_way("a file that is not a socket is there"));
    }
    if file.uid() != nix::unistd::geteuid().as_raw() {
        return Err(in_the_way("a socket of another user is there"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(in_the_way("a program is listening on it")),
    }
}

fn in_the_way(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, what.to_owned())
}

/// Binds with mode 0600 from the first moment on: the kernel gives the file
/// the mode of the unbound socket, less the umask. Binding first and changing
/// the mode afterwards would leave it open in between.
fn bind_private(path: &Path) -> io::Result<(UnixListener, UnixSocket)> {
    let socket: OwnedFd = nix::sys::socket::socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    nix::sys::stat::fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let file = fs::symlink_metadata(path)?;
    let bound = UnixSocket {
        path: path.to_owned(),
        identity: (file.dev(), file.ino()),
    };
    if file.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file system does not keep it private to this user",
        ));
    }
    nix::sys::socket::listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok((UnixListener::from(socket), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses() {
        let cases = [
            ("127.0.0.1", true),
            ("127.8.9.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
        ];
        for (address, loopback) in cases {
            assert_eq!(is_loopback(address.parse().unwrap()), loopback, "{address}");
        }
    }
}

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::infrastructure;

/// A way to a server that can be shut: closed at first, it hangs up on whoever comes.
#[derive(Debug)]
pub struct Gate {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    connections: Vec<TcpStream>,
}

impl Gate {
    /// To the shared broker, as far as its address: clients go on to the one that it advertises.
    ///
    /// # Errors
    /// If no port is free.
    pub fn to_kafka() -> io::Result<Self> {
        let (address, state) = forward(infrastructure().kafka_bootstrap().to_string())?;
        Ok(Self { address, state })
    }

    /// To the shared registry.
    ///
    /// # Errors
    /// If no port is free.
    pub fn to_registry() -> io::Result<Self> {
        let url = infrastructure().schema_registry_url();
        let (host, path) = url.trim_start_matches("http://").split_once('/').unwrap_or((url, ""));
        let (address, state) = forward(host.to_string())?;
        Ok(Self { address: format!("http://{address}/{path}"), state })
    }

    /// Where the service is to look for the server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Lets those in who come from now on.
    pub fn open(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_open = true;
    }

    /// Hangs up on those who are connected as well.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_open = false;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn forward(server: String) -> io::Result<(String, Arc<Mutex<State>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let state = Arc::new(Mutex::new(State::default()));
    let shared = state.clone();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if state.is_open {
                // A server that is away is, to the client, a connection that ends.
                let _ = connect(client, &server, &mut state.connections);
            }
        }
    });
    Ok((address, state))
}

fn connect(client: TcpStream, server: &str, connections: &mut Vec<TcpStream>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    connections.extend([client.try_clone()?, server.try_clone()?]);
    for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
    Ok(())
}

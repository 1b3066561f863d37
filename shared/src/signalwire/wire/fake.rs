//! A server for the tests of both clients: each connection gets the next answer of a script, and is then closed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What to do with a connection once its request has been read.
pub(crate) enum Then {
    /// Send this status and body, with these header lines.
    Answer(u16, &'static str, String),
    /// Send exactly this.
    Raw(Vec<u8>),
    /// Close without a word.
    Close,
    /// Say nothing for longer than the client waits.
    Hang,
}

pub(crate) struct Fake {
    /// `http://127.0.0.1:<port>`.
    pub address: String,
    requests: Receiver<String>,
}

impl Fake {
    pub(crate) fn start(script: Vec<Then>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for (then, stream) in script.into_iter().zip(listener.incoming()) {
                let mut stream = stream.unwrap();
                sender.send(read(&mut stream)).ok();
                match then {
                    Then::Answer(status, headers, body) => {
                        let head = format!(
                            "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
                            body.len()
                        );
                        stream.write_all(&[head.into_bytes(), body.into_bytes()].concat()).ok();
                    }
                    Then::Raw(bytes) => drop(stream.write_all(&bytes)),
                    Then::Close => {}
                    Then::Hang => std::thread::sleep(Duration::from_secs(3)),
                }
            }
        });
        Self { address, requests }
    }

    /// An address at which nobody listens.
    pub(crate) fn nobody() -> String {
        format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
    }

    /// The requests so far, as they were sent.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return text,
        }
    }
}

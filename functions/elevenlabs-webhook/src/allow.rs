//! Which addresses may call: `ELEVENLABS_WEBHOOK_ALLOWED_IPS`, a comma list of addresses and CIDR blocks.

use std::net::IpAddr;

use ipnet::IpNet;

/// The addresses that are let in; empty lets everybody in, and the signature decides alone (health says so).
#[derive(Debug, Clone, Default)]
pub struct Allowed(Vec<IpNet>);

impl Allowed {
    /// Parses the list.
    ///
    /// # Errors
    /// A sentence that names the entry which is neither an address nor a block.
    pub fn parse(list: &str) -> Result<Self, String> {
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let parse = |entry: &str| {
            let address = entry.parse::<IpAddr>().map(IpNet::from);
            address
                .or_else(|_| entry.parse::<IpNet>())
                .map_err(|_| format!("holds {entry:?}, which is no address and no CIDR block"))
        };
        entries.map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a peer is let in. Nobody without an address is, once there is a list.
    #[must_use]
    pub fn allows(&self, peer: Option<IpAddr>) -> bool {
        // An IPv4 peer may be written as an IPv6 one (`::ffff:1.2.3.4`).
        self.0.is_empty() || peer.is_some_and(|peer| self.0.iter().any(|block| block.contains(&peer.to_canonical())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_blocks_are_compared_as_numbers_and_never_as_text() {
        let allowed = Allowed::parse("34.67.146.145, 35.204.38.0/24,2001:db8::/32").unwrap();
        for inside in ["34.67.146.145", "35.204.38.71", "2001:db8::7", "::ffff:34.67.146.145"] {
            assert!(allowed.allows(Some(peer(inside))), "{inside}");
        }
        for outside in ["34.67.146.14", "134.67.146.145", "35.204.39.1", "2001:db9::1"] {
            assert!(!allowed.allows(Some(peer(outside))), "{outside}");
        }
        assert!(!allowed.allows(None));
    }

    #[test]
    fn an_empty_list_lets_everybody_in() {
        assert!(Allowed::parse(" , ").unwrap().allows(None));
    }

    #[test]
    fn a_malformed_entry_is_named() {
        assert!(Allowed::parse("1.2.3.4,example.com").unwrap_err().contains("example.com"));
        assert!(Allowed::parse("1.2.3.4/33").is_err());
    }
}

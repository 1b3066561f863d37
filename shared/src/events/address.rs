//! Where events may be sent: to public addresses over TLS. An endpoint is somebody's input, and a function that posts there
//! stands inside the owner's network: without this it would knock at the database's, the runtime's or the cloud's own doors.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;
use reqwest::Url;

/// Networks that are not the public internet (IANA's special-purpose registries), and those that carry IPv4 addresses
/// inside of IPv6 ones.
static CLOSED: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let nets = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/8",
        "64:ff9b::/32",
        "100::/8",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    ];
    nets.iter().filter_map(|net| net.parse().ok()).collect()
});

/// Whether an address is one of the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    let address = address.to_canonical();
    !CLOSED.iter().any(|net| net.contains(&address))
}

/// Reads the address of an endpoint. `played`: both vendors are played on this machine, and so may be whoever listens.
///
/// # Errors
/// What is wrong with it, and how to mend it.
pub fn parse(text: &str, played: bool) -> Result<Url, (&'static str, &'static str)> {
    let malformed = ("is missing or is not a URL", "Send an https URL of at most 2000 bytes.");
    if text.len() > 2000 || text.contains('\0') {
        return Err(malformed);
    }
    let url = Url::parse(text).map_err(|_| malformed)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(malformed)?;
    if url.scheme() != "https" && !(played && url.scheme() == "http") {
        return Err(("is not https", "Send an https URL: events are not sent in the clear."));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err((
            "holds a password or a fragment",
            "Leave them out: the signature proves who sends. A token may stand in the path or the query.",
        ));
    }
    if !played && !may_be_public(host) {
        return Err(("is not a public address", "Use a public name: events are not sent into private networks."));
    }
    Ok(url)
}

/// Names are looked up when they are sent to, and refused then, because they may lead elsewhere tomorrow.
fn may_be_public(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => is_public(address),
        Err(_) => host.contains('.') && !host.trim_end_matches('.').ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_not_public_however_they_are_written() {
        let closed = [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "239.0.0.1",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in closed {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "93.184.215.14", "172.32.0.1", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        assert_eq!(CLOSED.len(), 25, "a network could not be read");
    }

    #[test]
    fn an_endpoint_is_public_and_speaks_tls() {
        for good in ["https://example.com/hook?token=1", "https://8.8.8.8/", "https://hooks.example.com:8443/a"] {
            assert!(parse(good, false).is_ok(), "{good}");
        }
        let bad = [
            "",
            "example.com",
            "http://example.com/",
            "ftp://example.com/",
            "https://user:pass@example.com/",
            "https://example.com/#part",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "https://a.localhost./",
            "https://169.254.169.254/latest/meta-data",
        ];
        for bad in bad {
            assert!(parse(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn on_a_machine_where_both_vendors_are_played_a_listener_may_be_too() {
        assert!(parse("http://127.0.0.1:8080/hook", true).is_ok());
        assert!(parse("ftp://127.0.0.1/", true).is_err());
    }
}

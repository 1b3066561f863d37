//! The address of a SignalWire space, as people write it into `SIGNALWIRE_SPACE_URL`.

use std::fmt;

use reqwest::Url;

/// The root of a space: `https://example.signalwire.com`, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceUrl(Url);

/// Why a text is not the address of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSpaceUrl {
    /// No host in it.
    #[error("is not a host name such as example.signalwire.com")]
    NoHost,
    /// A path, a query, or a user.
    #[error("must be a host name alone, without path, query or user")]
    MoreThanAHost,
    /// Plain HTTP would send the API token in the clear.
    #[error("must be https (plain http is for addresses of this machine only)")]
    NotHttps,
}

impl SpaceUrl {
    /// Parses `example.signalwire.com` or `https://example.signalwire.com/`. Plain `http://` only for loopback addresses.
    ///
    /// # Errors
    /// When there is no host, or more than a host, or when the token would travel in the clear.
    pub fn parse(text: &str) -> Result<Self, BadSpaceUrl> {
        let text = text.trim();
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
        let url = url.map_err(|_| BadSpaceUrl::NoHost)?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(BadSpaceUrl::NoHost);
        }
        if !matches!(url.path(), "" | "/")
            || url.query().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(BadSpaceUrl::MoreThanAHost);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(BadSpaceUrl::NotHttps),
        }
        Ok(Self(url))
    }

    /// Where `reference` (a path, or an address as the carrier's lists hold it) points, if it stays in this space.
    pub(super) fn within(&self, reference: &str) -> Option<Url> {
        let url = self.0.join(reference).ok()?;
        (url.origin() == self.0.origin() && url.username().is_empty()).then_some(url)
    }

    /// The address of `segments` under this space, each segment escaped.
    pub(super) fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url
    }
}

/// Whether an address is one of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let is_ip = |host: &str| host == "[::1]" || host.parse().is_ok_and(|ip: std::net::Ipv4Addr| ip.is_loopback());
    url.host_str().is_some_and(|host| host == "localhost" || is_ip(host))
}

impl fmt::Display for SpaceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_written_with_or_without_its_scheme() {
        for text in [
            "example.signalwire.com",
            "https://example.signalwire.com",
            "https://example.signalwire.com/",
            " example.signalwire.com/ ",
        ] {
            assert_eq!(SpaceUrl::parse(text).unwrap().to_string(), "https://example.signalwire.com", "{text}");
        }
        for text in ["http://127.0.0.1:4010", "http://localhost:4010/", "http://[::1]:4010"] {
            assert!(SpaceUrl::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_space_is_refused() {
        for (text, expected) in [
            ("", BadSpaceUrl::NoHost),
            ("https://", BadSpaceUrl::NoHost),
            ("not a host", BadSpaceUrl::NoHost),
            ("example.signalwire.com/api", BadSpaceUrl::MoreThanAHost),
            ("https://example.signalwire.com?x=1", BadSpaceUrl::MoreThanAHost),
            ("https://me:token@example.signalwire.com", BadSpaceUrl::MoreThanAHost),
            ("http://example.signalwire.com", BadSpaceUrl::NotHttps),
            ("http://127.0.0.1.example.com", BadSpaceUrl::NotHttps),
            ("ftp://example.signalwire.com", BadSpaceUrl::NotHttps),
        ] {
            assert_eq!(SpaceUrl::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_reference_that_leaves_the_space_is_not_followed() {
        let space = SpaceUrl::parse("example.signalwire.com").unwrap();
        assert!(space.within("/api/laml/2010-04-01/Accounts/a/Calls?Page=1").is_some());
        assert!(space.within("https://example.signalwire.com/api/x").is_some());
        for reference in [
            "https://evil.example/api",
            "//evil.example/api",
            "http://example.signalwire.com/api",
            "https://u@example.signalwire.com/",
        ] {
            assert!(space.within(reference).is_none(), "{reference}");
        }
    }

    #[test]
    fn segments_are_escaped() {
        let space = SpaceUrl::parse("example.signalwire.com").unwrap();
        assert_eq!(space.at(&["api", "a/b?c"]).as_str(), "https://example.signalwire.com/api/a%2Fb%3Fc");
    }
}

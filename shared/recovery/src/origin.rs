//! Which places a feed may lie at: https anywhere but where only this machine's own secrets are, and loopback for
//! tests.

use std::net::IpAddr;

use url::{Host, Url};

/// Refuses a URL that no feed may have.
pub(crate) fn check(url: &Url) -> Result<(), String> {
    let host = url.host().ok_or("the URL has no host")?;
    if !url.username().is_empty() || url.password().is_some() {
        // The URL is not repeated: it holds a secret.
        return Err("the URL holds a user or a password".into());
    }
    if url.fragment().is_some() || url.query().is_some() {
        return Err("the URL has a query or a fragment".into());
    }
    if let Some(address) = address(&host)
        && let Some(why) = forbidden(address)
    {
        return Err(format!("{address} is {why}"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&host) => Ok(()),
        "http" => Err("http would show the credential to everybody on the way".into()),
        other => Err(format!("{other} is not https")),
    }
}

fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        _ => address(host).is_some_and(|address| address.to_canonical().is_loopback()),
    }
}

/// Whether a URL names this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    url.host().is_some_and(|host| is_loopback(&host))
}

/// Why no feed may be reached at an address, whatever name led to it.
pub(crate) fn forbidden(address: IpAddr) -> Option<&'static str> {
    const METADATA: [u16; 8] = [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254];
    match address.to_canonical() {
        IpAddr::V4(address) if address.is_link_local() => Some("a link-local address, where metadata lies"),
        IpAddr::V6(address) if address.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V6(address) if address.segments() == METADATA => Some("the metadata service"),
        address if address.is_unspecified() => Some("no address of a server"),
        address if address.is_multicast() => Some("the address of many"),
        IpAddr::V4(address) if address.is_broadcast() => Some("the address of many"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_lies_behind_https_or_on_this_machine() {
        for good in [
            "https://api.example.com/v1",
            "https://api.example.com:8443",
            "https://10.1.2.3/",
            "http://localhost:8000/x",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
        ] {
            assert_eq!(check(&Url::parse(good).unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "ftp://api.example.com",
            "http://localhost.example.com",
            "https://me:secret@api.example.com",
            "https://api.example.com/?key=1",
            "https://api.example.com/#x",
            "https://169.254.169.254/latest",
            "http://0xa9fea9fe/",
            "https://2852039166/",
            "https://[::ffff:169.254.169.254]/",
            "https://[fd00:ec2::254]/",
            "https://[fe80::1]/",
            "https://0.0.0.0/",
            "https://224.0.0.1/",
            "file:///etc/passwd",
        ] {
            let found = check(&Url::parse(bad).unwrap());
            assert!(found.is_err(), "{bad}");
            assert!(!found.unwrap_err().contains("secret"), "{bad}");
        }
    }
}

//! Forms of strings that the standard names.

use std::net::{Ipv4Addr, Ipv6Addr};

use septet_contract::TextFormat;

/// Tells whether a text has the form. Those that allow anything, and those that Septet does not know, hold.
pub(crate) fn matches(format: &TextFormat, text: &str) -> bool {
    match format {
        TextFormat::Password | TextFormat::Binary | TextFormat::Other(_) => true,
        TextFormat::Byte => is_base64(text),
        TextFormat::Email => is_email(text),
        TextFormat::Uuid => is_uuid(text),
        TextFormat::Uri => is_uri(text),
        TextFormat::Hostname => is_hostname(text),
        TextFormat::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
        TextFormat::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
    }
}

/// RFC 4648, section 4: the standard alphabet with padding.
fn is_base64(text: &str) -> bool {
    let content = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - content.len() <= 2
        && content.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// RFC 5321 without comments and quoted local parts, which nobody has.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| {
                c.is_alphanumeric()
                    || !c.is_ascii() && !c.is_whitespace()
                    || "!#$%&'*+-/=?^_`{|}~".contains(c)
            })
    };
    let literal = || {
        let address = domain.strip_prefix('[')?.strip_suffix(']')?;
        Some(match address.strip_prefix("IPv6:") {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => address.parse::<Ipv4Addr>().is_ok(),
        })
    };
    local.len() <= 64 && local.split('.').all(atom) && (is_hostname(domain) || literal() == Some(true))
}

/// RFC 9562: 8, 4, 4, 4 and 12 hexadecimal digits in either case.
fn is_uuid(text: &str) -> bool {
    let mut groups = text.split('-');
    let digits = |group: &str, count| group.len() == count && group.bytes().all(|b| b.is_ascii_hexdigit());
    [8, 4, 4, 4, 12].into_iter().all(|count| groups.next().is_some_and(|group| digits(group, count)))
        && groups.next().is_none()
}

/// RFC 3986: a scheme, and after it only characters that a URI may hold.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let mut escape = 0;
    let fits = |byte: u8| {
        if escape > 0 {
            escape -= 1;
            return byte.is_ascii_hexdigit();
        }
        escape = if byte == b'%' { 2 } else { 0 };
        byte == b'%' || byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte)
    };
    scheme_fits
        && !rest.is_empty()
        && rest.bytes().filter(|byte| *byte == b'#').count() <= 1
        && rest.bytes().all(fits)
        && escape == 0
}

/// RFC 1123: labels of 1 to 63 letters, digits and inner hyphens, 253 characters in all.
fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_takes_its_texts_and_no_others() {
        let cases: [(TextFormat, &[&str], &[&str]); 7] = [
            (
                TextFormat::Byte,
                &["", "YQ==", "YWI=", "YWJj", "+/+/"],
                &["Y", "YQ=", "YQ===", "Y=Q=", "YQ--", "===="],
            ),
            (
                TextFormat::Email,
                &[
                    "a@b.c",
                    "first.last+tag@example.com",
                    "ü@example.com",
                    "a@localhost",
                    "a@[127.0.0.1]",
                    "a@[IPv6:::1]",
                ],
                &[
                    "",
                    "a",
                    "@b.c",
                    "a@",
                    "a@b@c",
                    ".a@b.c",
                    "a..b@c.d",
                    "a b@c.d",
                    "a@-b.c",
                    "a@b..c",
                    "a@[1.2.3]",
                ],
            ),
            (
                TextFormat::Uuid,
                &["6f6f0b0e-3a3a-4d7e-9f55-5e97c0de0001", "6F6F0B0E-3A3A-4D7E-9F55-5E97C0DE0001"],
                &[
                    "",
                    "6f6f0b0e3a3a4d7e9f555e97c0de0001",
                    "6f6f0b0e-3a3a-4d7e-9f55-5e97c0de000g",
                    "6f6f0b0e-3a3a-4d7e-9f55-5e97c0de0001-",
                ],
            ),
            (
                TextFormat::Uri,
                &["https://example.com/a?b=c#d", "urn:isbn:1", "mailto:a@b.c", "a:%20"],
                &["", "example.com", "1a:b", "http:", "http://a b", "a:%2", "a:%zz", "a:b#c#d", "http://é"],
            ),
            (
                TextFormat::Hostname,
                &["a", "example.com", "xn--bcher-kva.example", "1.2"],
                &["", ".", "a.", "-a", "a-", "a_b", "a b", "é.com"],
            ),
            (
                TextFormat::Ipv4,
                &["127.0.0.1", "255.255.255.255"],
                &["", "256.0.0.1", "1.2.3", "01.2.3.4", "::1"],
            ),
            (
                TextFormat::Ipv6,
                &["::1", "2001:db8::8a2e:370:7334", "::ffff:1.2.3.4"],
                &["", ":::", "1.2.3.4", "::1%eth0"],
            ),
        ];
        for (format, good, bad) in cases {
            for text in good {
                assert!(matches(&format, text), "{format:?} {text:?}");
            }
            for text in bad {
                assert!(!matches(&format, text), "{format:?} {text:?}");
            }
        }
        let long = format!("{}.com", "a".repeat(64));
        assert!(!matches(&TextFormat::Hostname, &long));
        for format in [TextFormat::Password, TextFormat::Binary, TextFormat::Other("iban".to_owned())] {
            assert!(matches(&format, "anything"));
        }
    }
}

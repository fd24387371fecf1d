//! The token: what is accepted as one, and who has shown it.

use std::fmt;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::error::Error;

/// Characters that a token has at the least: 128 bits in hexadecimal.
const SHORTEST: usize = 32;
/// Characters that a token has at the most: it has to fit a request header.
const LONGEST: usize = 1024;
/// Different characters that a token has at the least. 32 random hexadecimal
/// digits have fewer once in some 20 million draws; `"0" * 32` has one.
const VARIETY: usize = 8;

/// A secret that opens all routes. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// Accepts a secret that may well hold 128 bits.
    pub(crate) fn new(secret: &str) -> Result<Self, Error> {
        let fault = |reason| Err(Error::Token { reason });
        if secret.len() < SHORTEST {
            return fault("it has fewer than 32 characters");
        }
        if secret.len() > LONGEST {
            return fault("it has more than 1024 characters");
        }
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fault("it holds characters other than visible ASCII");
        }
        let mut seen = [false; 128];
        for byte in secret.bytes() {
            if let Some(slot) = seen.get_mut(usize::from(byte)) {
                *slot = true;
            }
        }
        if seen.into_iter().filter(|seen| *seen).count() < VARIETY {
            return fault("it repeats fewer than 8 different characters, so it can be guessed");
        }
        Ok(Token(secret.to_owned()))
    }

    /// Whether the request shows this token: `Authorization: Bearer <token>`,
    /// or basic authentication with the token as password and any user name.
    /// Exactly one such header is accepted.
    pub(crate) fn opens(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let Some((scheme, credentials)) = split_scheme(value.as_bytes()) else {
            return false;
        };
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(credentials);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(pair) = STANDARD.decode(credentials) else {
            return false;
        };
        match pair.iter().position(|&byte| byte == b':') {
            Some(colon) => self.is(pair.get(colon + 1..).unwrap_or_default()),
            None => false,
        }
    }

    /// Compares in a time that depends on the secret's length alone.
    fn is(&self, shown: &[u8]) -> bool {
        let secret = self.0.as_bytes();
        let mut difference = usize::from(secret.len() != shown.len());
        for (at, byte) in secret.iter().enumerate() {
            let other = shown.get(at).copied().unwrap_or_default();
            difference |= usize::from(black_box(byte ^ other));
        }
        black_box(difference) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Splits `<scheme> <credentials>` at one or more spaces.
fn split_scheme(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = value.iter().position(|&byte| byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    Some((scheme, rest.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(AUTHORIZATION, value.parse().unwrap());
        }
        map
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn what_is_accepted_as_a_token() {
        let long = "0123456789abcdef".repeat(65);
        let cases = [
            (SECRET, true),
            ("short", false),
            ("", false),
            ("00000000000000000000000000000000", false),
            ("0123456789abcdef0123456789abcde", false),
            ("0123456789abcdef 123456789abcdef", false),
            ("0123456789abcdef0123456789abcdeé", false),
            (long.as_str(), false),
        ];
        for (secret, accepted) in cases {
            assert_eq!(Token::new(secret).is_ok(), accepted, "{secret:?}");
        }
    }

    #[test]
    fn who_has_shown_it() {
        let token = Token::new(SECRET).unwrap();
        let bearer = format!("Bearer {SECRET}");
        let prefix = format!("Bearer {}", &SECRET[..31]);
        let longer = format!("Bearer {SECRET}0");
        let wrong = format!("Bearer {}1", &SECRET[..31]);
        let cases: [(&[&str], bool); 17] = [
            (&[&bearer], true),
            (&[&format!("bEARER   {SECRET} ")], true),
            (&[&basic(&format!("pprof:{SECRET}"))], true),
            (&[&basic(&format!(":{SECRET}"))], true),
            (&[&basic(&format!("{SECRET}:"))], false),
            (&[&basic(SECRET)], false),
            (&[&basic(&format!("a:b:{SECRET}"))], false),
            (&[&prefix], false),
            (&[&longer], false),
            (&[&wrong], false),
            (&["Bearer "], false),
            (&["Bearer"], false),
            (&[SECRET], false),
            (&[&format!("Digest {SECRET}")], false),
            (&["Basic !!!"], false),
            (&[&bearer, &bearer], false),
            (&[], false),
        ];
        for (values, open) in cases {
            assert_eq!(token.opens(&headers(values)), open, "{values:?}");
        }
    }

    #[test]
    fn debug_does_not_show_it() {
        let shown = format!("{:?}", Token::new(SECRET).unwrap());
        assert!(!shown.contains(&SECRET[..4]), "{shown}");
    }
}

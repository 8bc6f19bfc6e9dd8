/// A piece of Rust source, as fine as the rules need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The text; of a string literal what is between the quotes, of a comment all of it.
    pub(crate) text: &'a str,
    /// Line on which the token starts, counted from 1.
    pub(crate) line: usize,
    /// Whether it is compiled for tests only: inside an item under `#[cfg(test)]` or `#[test]`.
    pub(crate) in_test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword.
    Word,
    /// A string literal of any form, escapes as written.
    Text,
    /// A number, a character or a lifetime.
    Other,
    /// A single character of punctuation.
    Mark,
    /// A comment, documentation or not.
    Comment,
}

/// Splits source into tokens. Meant for sources that compile; on others it does something harmless.
///
/// This is not a parser: a syntax tree drops the comments and remembers no lines by itself, and the rules ask only which
/// words stand next to each other.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut rest = Rest { source, at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = rest.token() {
        tokens.push(token);
    }
    mark_tests(&mut tokens);
    tokens
}

/// The tokens that are code: all but the comments.
pub(crate) fn code(source: &str) -> Vec<Token<'_>> {
    tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect()
}

impl Token<'_> {
    pub(crate) fn is_word(&self, text: &str) -> bool {
        self.kind == Kind::Word && self.text == text
    }

    pub(crate) fn is_mark(&self, text: &str) -> bool {
        self.kind == Kind::Mark && self.text == text
    }
}

struct Rest<'a> {
    source: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Rest<'a> {
    fn token(&mut self) -> Option<Token<'a>> {
        let blank = self.ahead().len() - self.ahead().trim_start().len();
        self.skip(blank);
        let (line, ahead) = (self.line, self.ahead());
        let first = ahead.chars().next()?;
        let (kind, text) = if ahead.starts_with("//") {
            (Kind::Comment, self.take(ahead.find('\n').unwrap_or(ahead.len())))
        } else if ahead.starts_with("/*") {
            (Kind::Comment, self.take(block_comment(ahead)))
        } else if let Some(literal) = Literal::at(ahead) {
            self.skip(literal.open);
            let body = self.take(literal.body(self.ahead()));
            self.skip(literal.close.len().min(self.ahead().len()));
            (Kind::Text, body)
        } else if first == '\'' {
            (Kind::Other, self.take(character_or_lifetime(ahead)))
        } else if first.is_ascii_digit() {
            (Kind::Other, self.take(number(ahead)))
        } else if first.is_alphabetic() || first == '_' {
            self.skip(if ahead.starts_with("r#") { 2 } else { 0 });
            (Kind::Word, self.take(word(self.ahead())))
        } else {
            (Kind::Mark, self.take(first.len_utf8()))
        };
        Some(Token { kind, text, line, in_test: false })
    }

    fn ahead(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn take(&mut self, length: usize) -> &'a str {
        let taken = &self.ahead()[..length];
        self.skip(length);
        taken
    }

    fn skip(&mut self, length: usize) {
        self.line += self.ahead()[..length].matches('\n').count();
        self.at += length;
    }
}

/// The quotes of a string literal.
struct Literal {
    /// Length of the prefix and the opening quotes.
    open: usize,
    /// The closing quotes.
    close: String,
    /// Whether a backslash is a backslash.
    raw: bool,
}

impl Literal {
    fn at(ahead: &str) -> Option<Self> {
        let unprefixed = ahead.strip_prefix(['b', 'c']).unwrap_or(ahead);
        let raw = unprefixed.starts_with('r');
        let quotes = if raw { &unprefixed[1..] } else { unprefixed };
        let hashes = if raw { quotes.len() - quotes.trim_start_matches('#').len() } else { 0 };
        let open = ahead.len() - quotes.len() + hashes + 1;
        quotes[hashes..].starts_with('"').then(|| Self { open, close: format!("\"{}", "#".repeat(hashes)), raw })
    }

    /// Length of the text up to the closing quotes.
    fn body(&self, text: &str) -> usize {
        let mut escaped = false;
        for (at, character) in text.char_indices() {
            if !escaped && text[at..].starts_with(&self.close) {
                return at;
            }
            escaped = !self.raw && !escaped && character == '\\';
        }
        text.len()
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[..at].ends_with("*/") && at > 3 {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len()
}

/// Length of `'x'`, `'\n'` or `'lifetime`.
fn character_or_lifetime(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    let first = characters.next().map_or('\'', |(_, character)| character);
    let second = characters.next();
    if first == '\\' {
        // The character after the backslash may itself be a quote.
        let from = second.map_or(text.len(), |(at, character)| at + character.len_utf8());
        return text[from..].find('\'').map_or(text.len(), |quote| from + quote + 1);
    }
    match second {
        Some((at, '\'')) => at + 1,
        _ => 1 + word(&text[1..]),
    }
}

/// Length of a number; the dots of `1..2` and `1.max(2)` are not part of it.
fn number(text: &str) -> usize {
    let whole = word(text);
    let fraction = text[whole..].strip_prefix('.').filter(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
    fraction.map_or(whole, |digits| whole + 1 + word(digits))
}

fn word(text: &str) -> usize {
    text.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(text.len())
}

/// Marks the items under `#[cfg(test)]`, `#[test]`, `#[tokio::test]`, and everything after `#![cfg(test)]`.
fn mark_tests(tokens: &mut [Token<'_>]) {
    let code: Vec<usize> = (0..tokens.len()).filter(|&at| tokens[at].kind != Kind::Comment).collect();
    let mut at = 0;
    while at < code.len() {
        let Some(attribute) = Attribute::at(tokens, &code[at..]) else {
            at += 1;
            continue;
        };
        let end = if attribute.inner {
            code.len()
        } else {
            at + attribute.length + item(tokens, &code[at + attribute.length..])
        };
        if attribute.for_tests {
            let last = code.get(end).copied().unwrap_or(tokens.len());
            tokens[code[at]..last].iter_mut().for_each(|token| token.in_test = true);
            at = end;
        } else {
            at += attribute.length;
        }
    }
}

struct Attribute {
    /// Number of tokens.
    length: usize,
    /// `#![…]`, which speaks of what it stands in.
    inner: bool,
    for_tests: bool,
}

impl Attribute {
    fn at(tokens: &[Token<'_>], code: &[usize]) -> Option<Self> {
        let token = |at: usize| code.get(at).map(|&at| tokens[at]);
        let inner = token(1)?.is_mark("!");
        let open = if inner { 2 } else { 1 };
        if !token(0)?.is_mark("#") || !token(open)?.is_mark("[") {
            return None;
        }
        let length = open + group(tokens, &code[open..]);
        let words: Vec<&str> =
            (open..length).filter_map(token).filter(|token| token.kind == Kind::Word).map(|token| token.text).collect();
        let for_tests = match words.as_slice() {
            ["cfg", conditions @ ..] => conditions.contains(&"test") && !conditions.contains(&"not"),
            ["test"] => true,
            [_, "test", ..] => words[0] == "tokio",
            _ => false,
        };
        Some(Self { length, inner, for_tests })
    }
}

/// Number of tokens in the group that opens here, with its brackets.
fn group(tokens: &[Token<'_>], code: &[usize]) -> usize {
    let mut depth = 0_usize;
    for (length, &at) in code.iter().enumerate() {
        match tokens[at] {
            Token { kind: Kind::Mark, text: "(" | "[" | "{", .. } => depth += 1,
            Token { kind: Kind::Mark, text: ")" | "]" | "}", .. } => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return length + 1;
        }
    }
    code.len()
}

/// Number of tokens up to the end of an item: its closing brace or its semicolon.
fn item(tokens: &[Token<'_>], code: &[usize]) -> usize {
    let mut at = 0;
    while at < code.len() {
        let token = tokens[code[at]];
        at += group(tokens, &code[at..]);
        if token.is_mark("{") || token.is_mark(";") {
            return at;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_characters_and_lifetimes_are_told_apart() {
        let source = r##"fn f<'a>(c: char) { /* a /* b */ c */ let x = "q\"uote"; // end
            g(b"bytes", r#"raw "quoted""#, 'x', '\'', '"', 1..2, r#type) }"##;
        let of = |kind| {
            tokens(source).into_iter().filter(|token| token.kind == kind).map(|token| token.text).collect::<Vec<_>>()
        };
        assert_eq!(of(Kind::Text), [r#"q\"uote"#, "bytes", r#"raw "quoted""#]);
        assert_eq!(of(Kind::Comment), ["/* a /* b */ c */", "// end"]);
        assert_eq!(of(Kind::Other), ["'a", "'x'", "'\\''", "'\"'", "1", "2"]);
        assert_eq!(of(Kind::Word), ["fn", "f", "c", "char", "let", "x", "g", "type"]);
    }

    #[test]
    fn lines_are_counted_through_literals_and_comments() {
        let lines: Vec<_> =
            tokens("a\n\"two\nlines\" b /*\n*/ c").iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 1), ("two\nlines", 2), ("b", 3), ("/*\n*/", 3), ("c", 4)]);
    }

    #[test]
    fn test_items_are_marked_and_others_are_not() {
        let source = "
            #[cfg(not(test))] fn one() {}
            #[tokio::test] #[allow(x)] async fn two() { a[0]; { } }
            fn three() {}
            #[cfg(test)] use four::{five, six};
            #[cfg(test)] mod seven { fn eight() {} }
            fn nine() {}";
        let marked: Vec<_> = tokens(source)
            .into_iter()
            .filter(|token| token.in_test && token.kind == Kind::Word)
            .map(|token| token.text)
            .collect();
        for word in ["two", "a", "four", "five", "seven", "eight"] {
            assert!(marked.contains(&word), "{word} is test code");
        }
        for word in ["one", "three", "nine"] {
            assert!(!marked.contains(&word), "{word} is not test code");
        }
    }

    #[test]
    fn an_inner_attribute_marks_the_rest_of_the_file() {
        assert!(tokens("#![cfg(test)] fn f() {}").iter().all(|token| token.in_test));
    }
}

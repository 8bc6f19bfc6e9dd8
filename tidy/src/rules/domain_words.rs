//! No word of the business appears in `libs/`: not in names, strings, comments or documents.
//!
//! The libraries serve any domain; a fork that sells train tickets keeps them as they are. Examples use a neutral domain
//! (sensors, words, clicks).
//!
//! Words are compared whole, after names have been split (`OrderState` is «order state», `Ordering` and «reordered» are
//! words of their own). «order» also means a sequence: it passes next to a word that says so, as in «in order», «sort
//! order», «the order of», «orders of magnitude».

use crate::rust::{Kind, tokens};
use crate::{File, Tree, Violation};

/// Words of the business, in the singular.
const BUSINESS: &str = "customer email fraud inventory jumper mail mailer order payment product shipment stock \
    stocking underpant warehouse";

/// Words before «order» that make it a sequence.
const BEFORE_SEQUENCE: &str = "any arrival byte by commit creation declaration delivery event good in input insertion \
    iteration its key lock log no of offset partition reading reverse right same sort that their this time total what \
    which whose wrong";

/// Words after «order» that make it a sequence, and «orders» a power of ten.
const AFTER_SEQUENCE: &str = "and between by in is matters of that they to was which";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let extensions = [".rs", ".md", ".toml", ".json", ".avsc", ".html"];
    let files = tree.files().filter(|file| file.is_in("libs") && extensions.iter().any(|end| file.path.ends_with(end)));
    files.flat_map(|file| texts(file).into_iter().flat_map(|text| business(file, &text))).collect()
}

/// The texts of a file in which neighbours say something about each other: each name, each string, and all comments
/// together, because a sentence runs on over several.
fn texts(file: &File) -> Vec<Vec<(usize, String)>> {
    if !file.path.ends_with(".rs") {
        return vec![words(1, &file.text)];
    }
    let (mut comments, mut texts) = (Vec::new(), Vec::new());
    for token in tokens(&file.text) {
        match token.kind {
            Kind::Comment => comments.extend(words(token.line, token.text)),
            Kind::Word | Kind::Text => texts.push(words(token.line, token.text)),
            Kind::Other | Kind::Mark => {}
        }
    }
    texts.push(comments);
    texts
}

/// The words of a text in lower case, each with its line; names are split at `_`, `-` and where a capital begins.
fn words(first_line: usize, text: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    for (line, text) in (first_line..).zip(text.split('\n')) {
        for name in text.split(|character: char| !character.is_alphanumeric()) {
            let mut start = 0;
            let capitals = name.match_indices(char::is_uppercase).map(|(at, _)| at).chain([name.len()]);
            for end in capitals {
                // The capitals of an acronym belong together, and so do those of a word in capitals.
                let follows_capital = name[..end].ends_with(char::is_uppercase);
                let begins_word = name[end..].chars().nth(1).is_some_and(char::is_lowercase);
                if end > start && (end == name.len() || !follows_capital || begins_word) {
                    words.push((line, name[start..end].to_lowercase()));
                    start = end;
                }
            }
        }
    }
    words
}

fn business(file: &File, text: &[(usize, String)]) -> Vec<Violation> {
    let is_one_of = |words: &str, at: Option<usize>| {
        let word = at.and_then(|at| text.get(at)).map_or("", |(_, word)| word);
        words.split_whitespace().any(|it| it == word)
    };
    let mut violations = Vec::new();
    for (at, (line, word)) in text.iter().enumerate() {
        let follows = is_one_of(BEFORE_SEQUENCE, at.checked_sub(1));
        let sequence = match word.as_str() {
            "order" => follows || is_one_of(AFTER_SEQUENCE, Some(at + 1)),
            "orders" => is_one_of("of", Some(at + 1)),
            _ => false,
        };
        let singular = word.strip_suffix('s').unwrap_or(word);
        if BUSINESS.split_whitespace().any(|it| it == singular) && !sequence {
            let message = format!("«{word}» is a word of the business; libs/ serve any domain, so say it neutrally");
            violations.push(Violation::new(&file.path, *line, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::said;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of([(path, text)])).into_iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn names_strings_comments_and_documents_that_speak_of_the_business_are_refused() {
        let source = "struct OrderState;\nconst MAX_ORDERS: i64 = 1;\nf(\"customers\");\n// Waits until an order\n\
            /* has\nbeen paid for by its customer */\nlet stock = 1;\nself.parseEmail();";
        assert_eq!(lines("libs/streams/src/a.rs", source), [1, 2, 3, 7, 8, 4, 6]);
        assert_eq!(lines("libs/test-kit/README.md", "# Tests\n\nSeeds nine customers."), [3]);
    }

    #[test]
    fn the_message_names_the_word_and_the_place() {
        let tree = Tree::of([("libs/streams/src/a.rs", "fn fraud() {}")]);
        let expected =
            "libs/streams/src/a.rs:1: «fraud» is a word of the business; libs/ serve any domain, so say it neutrally";
        assert_eq!(said(check, &tree), [expected]);
    }

    #[test]
    fn order_in_the_sense_of_sequence_passes() {
        let source = "use std::cmp::Ordering; // Records arrive in\n// order, or are reordered; the order of keys, orders of\n\
            // magnitude, byte order, ordered, border, in\n// good order.\nKafkaError::OutOfOrderSequenceNumber; sort_order();";
        assert!(lines("libs/streams/src/a.rs", source).is_empty());
    }

    #[test]
    fn outside_the_libraries_the_business_may_be_named() {
        assert!(lines("services/orders/src/main.rs", "struct Order;").is_empty());
    }

    #[test]
    fn names_are_split_into_words() {
        let split = |name| words(1, name).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(split("HTTPServer"), ["http", "server"]);
        assert_eq!(split("MAX_ORDERS"), ["max", "orders"]);
        assert_eq!(split("orderId2"), ["order", "id2"]);
    }
}

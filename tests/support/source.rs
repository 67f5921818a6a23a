//! A Rust source file as `tidy` sees it: stripped of comments, strings and test items, and cut into tokens.
//!
//! Not a parser, and it need not be one: what it reads has passed the compiler and the formatter.

use std::collections::BTreeSet;

/// One file. What was stripped is blanked out in place, so that lines keep their numbers.
pub struct Source {
    raw: String,
    tokens: Vec<Token>,
}

/// A word, or one character of punctuation.
struct Token {
    text: String,
    line: usize,
}

impl Source {
    /// Reads the text of a file.
    pub fn new(raw: &str) -> Self {
        let mut tokens = tokens(&strip(raw));
        drop_test_items(&mut tokens);
        Self { raw: raw.to_owned(), tokens }
    }

    /// The text as written.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Lines that hold code: not blank, not comment, not test.
    pub fn code_lines(&self) -> usize {
        distinct_lines(&self.tokens)
    }

    /// Each function that has a body, with its lines of code from `fn` to its closing brace.
    pub fn functions(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            let Some(name) = self.word(at + 1).filter(|_| self.text(at) == "fn") else {
                continue;
            };
            if let Some(end) = self.body_end(at) {
                found.push((name.to_owned(), distinct_lines(&self.tokens[at..=end])));
            }
        }
        found
    }

    /// The rooms (first names below the crate's root) that a file at `modules` names, by whatever path.
    pub fn rooms_named(&self, modules: &[String]) -> BTreeSet<String> {
        let mut named = self.named_under("crate");
        // Depth of braces at which each inline module that is open began.
        let mut inline: Vec<usize> = Vec::new();
        let mut depth = 0;
        let mut at = 0;
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => {
                    if at >= 2 && self.text(at - 2) == "mod" {
                        inline.push(depth);
                    }
                    depth += 1;
                }
                "}" => {
                    depth -= 1;
                    if inline.last() == Some(&depth) {
                        inline.pop();
                    }
                }
                "super" => {
                    let mut ups = 1;
                    while self.is_path_sep(at + 1) && self.text(at + 3) == "super" {
                        ups += 1;
                        at += 3;
                    }
                    if ups == modules.len() + inline.len() {
                        self.tree_heads(at + 1, &mut named);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        named
    }

    /// The names that come right after `head::`, one or all of a `{…}` list.
    pub fn named_under(&self, head: &str) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for at in 0..self.tokens.len() {
            if self.text(at) == head {
                self.tree_heads(at + 1, &mut named);
            }
        }
        named
    }

    /// Adds what follows the `::` at `at`: a name, or the first name of each branch of a use tree.
    fn tree_heads(&self, at: usize, named: &mut BTreeSet<String>) {
        if !self.is_path_sep(at) {
            return;
        }
        let mut at = at + 2;
        if self.text(at) != "{" {
            named.insert(self.text(at).to_owned());
            return;
        }
        let mut depth = 0;
        loop {
            match self.text(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 || at >= self.tokens.len() {
                return;
            }
            let begins = depth == 1 && matches!(self.text(at), "{" | ",");
            if begins && !matches!(self.text(at + 1), "}" | "self") {
                named.insert(self.text(at + 1).to_owned());
            }
            at += 1;
        }
    }

    /// Where the body of the `fn` at `at` ends; `None` for a declaration without one.
    fn body_end(&self, at: usize) -> Option<usize> {
        // A `;` inside brackets belongs to an array type of the signature.
        let mut nested = 0;
        let mut here = at;
        loop {
            match self.tokens.get(here)?.text.as_str() {
                "(" | "[" => nested += 1,
                ")" | "]" => nested -= 1,
                ";" if nested == 0 => return None,
                "{" if nested == 0 => return block_end(&self.tokens, here),
                _ => {}
            }
            here += 1;
        }
    }

    fn is_path_sep(&self, at: usize) -> bool {
        self.text(at) == ":" && self.text(at + 1) == ":"
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    fn word(&self, at: usize) -> Option<&str> {
        Some(self.text(at))
            .filter(|text| text.starts_with(|first: char| first.is_alphabetic() || first == '_'))
    }
}

fn distinct_lines(tokens: &[Token]) -> usize {
    tokens.iter().map(|token| token.line).collect::<BTreeSet<_>>().len()
}

/// The index of the `}` that closes the `{` at `at`.
fn block_end(tokens: &[Token], at: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// Removes each item under `#[cfg(test)]`: up to its `;`, or to the end of its block.
fn drop_test_items(tokens: &mut Vec<Token>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut at = 0;
    while at + MARK.len() <= tokens.len() {
        if !MARK.iter().zip(&tokens[at..]).all(|(mark, token)| token.text == *mark) {
            at += 1;
            continue;
        }
        let mut end = at + MARK.len();
        let mut nested = 0;
        while let Some(token) = tokens.get(end) {
            match token.text.as_str() {
                "(" | "[" => nested += 1,
                ")" | "]" => nested -= 1,
                ";" if nested == 0 => break,
                // The braces of a use tree are followed by its semicolon.
                "{" if nested == 0 => {
                    end = block_end(tokens, end).unwrap_or(tokens.len() - 1);
                    if tokens.get(end + 1).is_none_or(|next| next.text != ";") {
                        break;
                    }
                }
                _ => {}
            }
            end += 1;
        }
        tokens.drain(at..tokens.len().min(end + 1));
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut word = false;
        for character in line.chars() {
            let in_word = character.is_alphanumeric() || character == '_';
            match tokens.last_mut() {
                Some(last) if in_word && word => last.text.push(character),
                _ if character.is_whitespace() => {}
                _ => tokens.push(Token { text: character.to_string(), line: number + 1 }),
            }
            word = in_word;
        }
    }
    tokens
}

/// The text with its comments blanked out, and with quotation marks in place of what strings hold.
fn strip(raw: &str) -> String {
    let source: Vec<char> = raw.chars().collect();
    let mut out = source.clone();
    let mut at = 0;
    while at < source.len() {
        let (end, filler) = match skip(&source, at) {
            Some(skipped) => skipped,
            None => {
                at += 1;
                continue;
            }
        };
        for place in at..end {
            if source[place] != '\n' {
                // A line of a string is a line of code, even where the string is blank.
                out[place] = filler;
            }
        }
        at = end;
    }
    out.into_iter().collect()
}

/// Where the comment or literal that begins at `at` ends, and what stands in for it.
fn skip(source: &[char], at: usize) -> Option<(usize, char)> {
    let begins = |text: &str| text.chars().enumerate().all(|(i, c)| source.get(at + i) == Some(&c));
    let boundary = at == 0 || !(source[at - 1].is_alphanumeric() || source[at - 1] == '_');
    if begins("//") {
        let end = (at..source.len()).find(|&i| source[i] == '\n').unwrap_or(source.len());
        return Some((end, ' '));
    }
    if begins("/*") {
        return Some((block_comment_end(source, at), ' '));
    }
    if source[at] == '"' {
        return Some((quoted_end(source, at + 1, '"'), '"'));
    }
    if source[at] == 'r' && (boundary || (source[at - 1] == 'b' || source[at - 1] == 'c')) {
        let hashes = source[at + 1..].iter().take_while(|c| **c == '#').count();
        if source.get(at + 1 + hashes) == Some(&'"') {
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            let from = at + 2 + hashes;
            let found = (from..source.len()).find(|&i| source[i..].starts_with(&close));
            return Some((found.map_or(source.len(), |i| i + close.len()), '"'));
        }
    }
    // A quote that closes after one character or an escape is a literal; any other is a lifetime.
    if source[at] == '\'' {
        if source.get(at + 1) == Some(&'\\') {
            return Some((quoted_end(source, at + 1, '\''), '"'));
        }
        if source.get(at + 2) == Some(&'\'') {
            return Some((at + 3, '"'));
        }
    }
    None
}

fn quoted_end(source: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while at < source.len() {
        match source[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    source.len()
}

fn block_comment_end(source: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at + 1 < source.len() {
        match (source[at], source[at + 1]) {
            ('/', '*') => {
                depth += 1;
                at += 2;
            }
            ('*', '/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    source.len()
}

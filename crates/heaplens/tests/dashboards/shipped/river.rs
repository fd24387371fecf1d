//! The syntax of Alloy's configurations, as far as ours use it.
//!
//! A body has attributes (`name = value`) and blocks (`name.name "label" { … }`), each on a line of
//! its own. Elements of lists and objects are followed by a comma, the last one too where the line
//! ends after it. Operators and functions are left out.

use std::iter::Peekable;
use std::str::Chars;

/// A block, or the whole file.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) name: String,
    pub(super) label: Option<String>,
    pub(super) attributes: Vec<(String, Value)>,
    pub(super) blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Number(String),
    Text(String),
    /// Something that another component exports.
    Reference(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Block {
    pub(super) fn attribute(&self, name: &str) -> Option<&Value> {
        let mut named = self.attributes.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Value::Text(text) => Some(text),
            other => panic!("{name} is {other:?}"),
        }
    }

    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        match self.attribute(name)? {
            Value::Bool(told) => Some(*told),
            other => panic!("{name} is {other:?}"),
        }
    }

    pub(super) fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.name == name)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Number(String),
    Text(String),
    Sign(char),
    Line,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(&next) = rest.peek() {
        if next.is_ascii_alphabetic() || next == '_' {
            tokens.push(Token::Word(run(&mut rest, |at| {
                at.is_ascii_alphanumeric() || at == '_'
            })));
            continue;
        }
        if next.is_ascii_digit() {
            tokens.push(Token::Number(run(&mut rest, |at| {
                at.is_ascii_digit() || at == '.'
            })));
            continue;
        }
        rest.next();
        match next {
            '\n' => tokens.push(Token::Line),
            ' ' | '\t' | '\r' => {}
            '/' if rest.next_if_eq(&'/').is_some() => {
                run(&mut rest, |at| at != '\n');
            }
            '"' => tokens.push(Token::Text(quoted(&mut rest)?)),
            '=' | '{' | '}' | '[' | ']' | ',' | '.' => tokens.push(Token::Sign(next)),
            other => return Err(format!("the character {other:?}")),
        }
    }
    Ok(tokens)
}

fn run(rest: &mut Peekable<Chars<'_>>, belongs: impl Fn(char) -> bool) -> String {
    std::iter::from_fn(|| rest.next_if(|&at| belongs(at))).collect()
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match rest.next() {
            Some('"') => return Ok(text),
            Some('\\') => match rest.next() {
                Some(at @ ('"' | '\\')) => text.push(at),
                other => return Err(format!("the escape {other:?}")),
            },
            Some('\n') | None => return Err(format!("the text {text:?} has no end")),
            Some(at) => text.push(at),
        }
    }
}

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Result<Block, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser { rest: &tokens };
    let mut file = Block::default();
    parser.body(&mut file)?;
    match parser.rest.first() {
        None => Ok(file),
        Some(more) => Err(format!("{more:?} after the end")),
    }
}

struct Parser<'a> {
    rest: &'a [Token],
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first.clone())
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.rest.first() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(format!("{:?} in place of {wanted:?}", self.rest.first()))
        }
    }

    fn lines(&mut self) {
        while self.take(&Token::Line) {}
    }

    fn word(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("{other:?} in place of a name")),
        }
    }

    fn dotted(&mut self) -> Result<String, String> {
        let mut name = self.word()?;
        while self.take(&Token::Sign('.')) {
            name = format!("{name}.{}", self.word()?);
        }
        Ok(name)
    }

    fn body(&mut self, into: &mut Block) -> Result<(), String> {
        loop {
            self.lines();
            if matches!(self.rest.first(), None | Some(Token::Sign('}'))) {
                return Ok(());
            }
            let name = self.dotted()?;
            if self.take(&Token::Sign('=')) {
                if into.attribute(&name).is_some() {
                    return Err(format!("{name} is there twice"));
                }
                let value = self.value()?;
                into.attributes.push((name, value));
            } else {
                let block = self.block(name)?;
                into.blocks.push(block);
            }
            if !matches!(self.rest.first(), None | Some(Token::Line)) {
                return Err(format!("{:?} on the same line", self.rest.first()));
            }
        }
    }

    fn block(&mut self, name: String) -> Result<Block, String> {
        let mut block = Block {
            name,
            ..Block::default()
        };
        if let Some(Token::Text(label)) = self.rest.first() {
            block.label = Some(label.clone());
            self.next();
        }
        self.expect(&Token::Sign('{'))?;
        self.body(&mut block)?;
        self.expect(&Token::Sign('}'))?;
        Ok(block)
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.rest.first() {
            Some(Token::Word(word)) if word == "true" || word == "false" => {
                let told = Value::Bool(word == "true");
                self.next();
                Ok(told)
            }
            Some(Token::Word(_)) => Ok(Value::Reference(self.dotted()?)),
            _ => match self.next() {
                Some(Token::Text(text)) => Ok(Value::Text(text)),
                Some(Token::Number(number)) => Ok(Value::Number(number)),
                Some(Token::Sign('[')) => Ok(Value::List(self.elements(']', Self::value)?)),
                Some(Token::Sign('{')) => Ok(Value::Object(self.elements('}', Self::pair)?)),
                other => Err(format!("{other:?} in place of a value")),
            },
        }
    }

    fn pair(&mut self) -> Result<(String, Value), String> {
        let name = match self.next() {
            Some(Token::Word(name) | Token::Text(name)) => name,
            other => return Err(format!("{other:?} in place of a name")),
        };
        self.expect(&Token::Sign('='))?;
        Ok((name, self.value()?))
    }

    fn elements<T>(
        &mut self,
        end: char,
        element: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let mut elements = Vec::new();
        loop {
            self.lines();
            if self.take(&Token::Sign(end)) {
                return Ok(elements);
            }
            elements.push(element(self)?);
            if !self.take(&Token::Sign(',')) {
                self.expect(&Token::Sign(end))?;
                return Ok(elements);
            }
        }
    }
}

#[test]
fn what_alloy_refuses_is_an_error() {
    for text in [
        "a = 1\na = 2\n",
        "a = 1 b = 2\n",
        "a = [1\n]\n",
        "a {\n",
        "a = \"x\n",
        "a \"b\" = 1\n",
        "}\n",
        "a.b = {\n  \"c\" = 1\n}\n",
        "a = 'x'\n",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    let text = "// c = 1\na = [{\"b\" = x.y.z, c = \"\\\"\"}, 1.5,\n]\nd.e \"f\" {\n  g {}\n}\n";
    let file = parse(text).unwrap();
    let object = Value::Object(vec![
        ("b".to_owned(), Value::Reference("x.y.z".to_owned())),
        ("c".to_owned(), Value::Text("\"".to_owned())),
    ]);
    let list = Value::List(vec![object, Value::Number("1.5".to_owned())]);
    assert_eq!(file.attribute("a"), Some(&list));
    let block = file.block("d.e").unwrap();
    assert_eq!(block.label.as_deref(), Some("f"));
    assert!(block.block("g").is_some());
}

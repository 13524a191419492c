//! The text of a header: a Python dict with three keys.
//!
//! ```text
//! header = "{" [ pair { "," pair } [ "," ] ] "}" { space }
//! pair   = string ":" ( string | "True" | "False" | tuple )
//! tuple  = "(" [ number { "," number } [ "," ] ] ")"
//! ```

/// More axes than NumPy has.
const MAX_RANK: usize = 64;

pub(super) struct Header {
    pub(super) descr: String,
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

enum Value {
    Text(String),
    Flag(bool),
    Sizes(Vec<usize>),
}

impl Header {
    pub(super) fn parse(text: &[u8]) -> Result<Header, String> {
        let mut cursor = Cursor { rest: text };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        cursor.expect(b'{')?;
        while !cursor.eat(b'}') {
            let key = cursor.string()?;
            cursor.expect(b':')?;
            let twice = match (key.as_str(), cursor.value()?) {
                ("descr", Value::Text(value)) => descr.replace(value).is_some(),
                ("fortran_order", Value::Flag(value)) => fortran.replace(value).is_some(),
                ("shape", Value::Sizes(value)) => shape.replace(value).is_some(),
                ("descr", _) => return Err("records are not read, only arrays of numbers".into()),
                ("fortran_order" | "shape", _) => return Err(format!("the value of `{key}` is of another kind")),
                _ => return Err(format!("the header has a key {}", super::quoted(&key))),
            };
            if twice {
                return Err(format!("the header has `{key}` twice"));
            }
            if !cursor.eat(b',') {
                cursor.expect(b'}')?;
                break;
            }
        }
        cursor.spaces();
        if !cursor.rest.is_empty() {
            return Err("the header goes on after its end".into());
        }
        let missing = |key: &str| format!("the header has no `{key}`");
        Ok(Header {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.spaces();
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        match self.eat(byte) {
            true => Ok(()),
            false => Err(format!("the header has {} where `{}` belongs", self.here(), byte as char)),
        }
    }

    fn here(&self) -> String {
        match self.rest.first() {
            Some(&byte) if byte.is_ascii_graphic() => format!("`{}`", byte as char),
            Some(byte) => format!("byte {byte}"),
            None => "its end".into(),
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        self.spaces();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        self.spaces();
        match self.rest.first() {
            Some(b'\'' | b'"') => self.string().map(Value::Text),
            Some(b'(') => self.sizes().map(Value::Sizes),
            // A list of fields; only the kind matters.
            Some(b'[') => Err("records are not read, only arrays of numbers".into()),
            _ if self.word(b"True") => Ok(Value::Flag(true)),
            _ if self.word(b"False") => Ok(Value::Flag(false)),
            _ => Err(format!("the header has {} where a value belongs", self.here())),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.spaces();
        let Some((&quote @ (b'\'' | b'"'), rest)) = self.rest.split_first() else {
            return Err(format!("the header has {} where a text belongs", self.here()));
        };
        let end = rest.iter().position(|&byte| byte == quote).ok_or("a text in the header has no end")?;
        let (text, rest) = rest.split_at(end);
        if text.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'\\') {
            return Err("a text in the header is no plain ASCII".into());
        }
        self.rest = rest.get(1..).unwrap_or(&[]);
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn sizes(&mut self) -> Result<Vec<usize>, String> {
        self.expect(b'(')?;
        let mut sizes = Vec::new();
        let mut comma = true;
        while !self.eat(b')') {
            if !comma {
                return Err(format!("the shape has {} where a comma belongs", self.here()));
            }
            self.spaces();
            let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, rest) = self.rest.split_at(digits);
            let number = std::str::from_utf8(number).unwrap_or_default();
            if number.is_empty() {
                return Err(format!("the shape has {} where a size belongs", self.here()));
            }
            sizes.push(number.parse::<usize>().map_err(|_| "a size is too large to be counted".to_string())?);
            self.rest = rest;
            // Python 2 wrote long integers so.
            self.word(b"L");
            if sizes.len() > MAX_RANK {
                return Err(format!("more than {MAX_RANK} axes"));
            }
            comma = self.eat(b',');
        }
        // `(3)` is a number in Python, not a tuple.
        if sizes.len() == 1 && !comma {
            return Err("the shape is a number, not a tuple".into());
        }
        Ok(sizes)
    }
}

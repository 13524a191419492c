use super::*;
use crate::scratch::Scratch;

const TEXT: &str = "It's a truth universally acknowledged, that a single man in possession of a good fortune, must be in \
want of a wife.\n\n  However little known the feelings or views of such a man may be, it's so well fixed that 12 of 345 \
families don't\tdoubt it — żółw 🐢 日本語   ";

#[test]
fn words_are_those_of_the_pattern() {
    let cut = |text: &'static str| words(text).collect::<Vec<_>>();
    assert_eq!(cut("I'll go, they've 12cats!"), ["I", "'ll", " go", ",", " they", "'ve", " 12", "cats", "!"]);
    assert_eq!(cut("a  b\n\nc \t d  "), ["a", " ", " b", "\n", "\n", "c", " \t", " d", "  "]);
    assert_eq!(cut("\nx"), ["\n", "x"]);
    assert_eq!(cut("   "), ["   "]);
    assert_eq!(cut(" ?!a"), [" ?!", "a"]);
    assert_eq!(cut("'re're 's"), ["'re", "'re", " '", "s"]);
    assert_eq!(cut(""), [""; 0]);
    assert_eq!(words(TEXT).collect::<String>(), TEXT);
}

#[test]
fn bytes_have_characters_of_their_own() {
    let all: BTreeSet<char> = (0..=255).map(shown).collect();
    assert_eq!(all.len(), 256);
    assert_eq!((shown(b' '), shown(b'\n'), shown(b'a')), ('Ġ', 'Ċ', 'a'));
    for byte in 0..=255 {
        assert_eq!(unshown(&shown(byte).to_string()), Some(vec![byte]));
    }
    assert_eq!(unshown("\u{144}"), None);
}

#[test]
fn every_text_comes_back_and_a_file_is_the_same() {
    let bpe = Bpe::train(TEXT, 320).unwrap();
    assert_eq!(bpe.len(), 320);
    let scratch = Scratch::new("bpe");
    bpe.save(scratch.file("tokenizer.json")).unwrap();
    let again = Bpe::load(scratch.file("tokenizer.json")).unwrap();
    let long = "ab".repeat(50_000);
    for text in [TEXT, "", "quite another text\u{0}\u{7f}\u{ad}", &long] {
        let tokens = bpe.encode(text);
        assert_eq!(bpe.decode(&tokens).unwrap(), text);
        assert_eq!(again.encode(text), tokens);
    }
    assert_eq!(again.to_json(), bpe.to_json());
    let euro = bpe.encode("€");
    assert_eq!(euro.len(), 3);
    assert!(bpe.decode(&euro[..2]).unwrap_err().to_string().contains("not UTF-8"));
    assert_eq!(bpe.decode_lossy(&euro[..2]).unwrap(), "\u{fffd}");
    assert!(bpe.decode(&[320]).is_err() && bpe.decode(&[-1]).is_err() && Bpe::train("a", 255).is_err());
    assert_eq!(Bpe::train("ab", 1000).unwrap().len(), 257, "there is one pair");
}

#[test]
fn special_tokens_are_found_first_and_kept() {
    let plain = Bpe::train(TEXT, 300).unwrap();
    let bpe = plain.clone().with_special(["<|end of text|>", "→"]).unwrap();
    let text = "a truth<|end of text|>it's → a wife";
    let tokens = bpe.encode(text);
    let expected = [plain.encode("a truth"), vec![300], plain.encode("it's "), vec![301], plain.encode(" a wife")];
    assert_eq!(tokens, expected.concat());
    assert_eq!(bpe.decode(&tokens).unwrap(), text);
    let again = Bpe::parse("t", bpe.to_json().to_string().as_bytes()).unwrap();
    assert_eq!((again.encode(text), again.to_json(), again.len()), (tokens.clone(), bpe.to_json(), 302));
    // A file may leave them out of its vocabulary.
    let mut apart = bpe.to_json();
    apart.pointer_mut("/model/vocab").unwrap().as_object_mut().unwrap().remove("→");
    assert_eq!(Bpe::parse("t", apart.to_string().as_bytes()).unwrap().encode(text), tokens);
    for text in ["", "a", "→"] {
        assert!(bpe.clone().with_special([text]).is_err(), "{text}");
    }
}

/// The heap over a list against joining pair by pair.
#[test]
fn words_are_joined_in_the_order_of_learning() {
    let bpe = Bpe::train(TEXT, 400).unwrap();
    for word in words(TEXT).chain(["aaaaaaa", " itititit", "thatthat"]) {
        let token = |byte: u8| bpe.byte_tokens[usize::from(byte)];
        let mut plain: Vec<u32> = word.bytes().map(token).collect();
        while let Some((_, pair, token)) =
            pairs(&plain).filter_map(|pair| bpe.ranks.get(&pair).map(|&(rank, token)| (rank, pair, token))).min()
        {
            plain = joined(&plain, pair, token);
        }
        assert_eq!(bpe.encode_word(word.as_bytes()), plain, "{word}");
    }
}

#[test]
fn what_is_no_byte_level_bpe_is_refused() {
    let good = Bpe::train(TEXT, 260).unwrap().to_json();
    assert!(Bpe::parse("t", good.to_string().as_bytes()).is_ok());
    let change = |at: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(at).unwrap() = value;
        Bpe::parse("t.json", changed.to_string().as_bytes()).map(drop).unwrap_err().to_string()
    };
    for (at, value, expected) in [
        ("/model/type", json!("WordPiece"), "`model.type` is"),
        ("/added_tokens", json!([{"id": 1}]), "`added_tokens` is"),
        ("/added_tokens", json!([{"id": 260, "content": "<s>", "lstrip": true}]), "`added_tokens` is"),
        ("/added_tokens", json!({}), "`added_tokens` is no list"),
        ("/added_tokens", json!([{"id": 260, "content": ""}]), "`added_tokens` is"),
        ("/added_tokens", json!([{"id": 261, "content": "<s>"}]), "`<s>` has the number 261"),
        ("/added_tokens", json!([{"id": 7, "content": "<s>"}]), "has the number 7"),
        ("/added_tokens", json!([{"id": 7, "content": "a"}]), "has the number 7"),
        ("/added_tokens", json!([{"id": 260, "content": "<s>"}, {"id": 261, "content": "<s>"}]), "comes twice"),
        ("/normalizer", json!({"type": "NFC"}), "`normalizer` is"),
        ("/pre_tokenizer/add_prefix_space", json!(true), "without a prefix"),
        ("/pre_tokenizer", Value::Null, "without a prefix"),
        ("/model/vocab/a", json!(99_999_999), "has the number 99999999"),
        ("/model/vocab/a", json!(-1), "has the number -1"),
        ("/model/vocab/a", json!(3), "has the number"),
        ("/model/vocab", json!({"a": 0}), "no token for the byte 0"),
        ("/model/vocab", json!([]), "no `vocab`"),
        ("/model/merges/0", json!(["zz", "zz"]), "of tokens that there are not"),
        ("/model/merges/0", json!(7), "of tokens that there are not"),
        ("/model/merges/1", good.pointer("/model/merges/0").unwrap().clone(), "comes twice"),
    ] {
        let error = change(at, value);
        assert!(error.contains(expected), "{error}");
    }
    // The spelling of older files.
    let mut older = good.clone();
    for merge in older.pointer_mut("/model/merges").unwrap().as_array_mut().unwrap() {
        *merge = json!(format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()));
    }
    assert_eq!(Bpe::parse("t", older.to_string().as_bytes()).unwrap().to_json(), good);
    assert!(Bpe::parse("t", "[".repeat(100_000).as_bytes()).is_err());
}

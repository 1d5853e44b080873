//! CLIP's tokeniser: from a prompt to the fixed number of token ids that the text encoder takes.

use crate::{error::InferenceError, package::Package};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use tokenizers::{
    AddedToken, SplitDelimiterBehavior, Tokenizer as Pieces,
    models::bpe::BPE,
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence,
        split::{Split, SplitPattern},
    },
};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Words, single digits, runs of signs; what is between them is dropped. Python matches without regard to case, which
/// after lower-casing leaves two oddities: a long s counts as an s, and U+0345 as nothing.
const WORDS: &str = r"'[s\x{17F}]|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}\x{345}]+";

/// Merges that Python's CLIPTokenizer reads at most: the size of OpenAI's vocabulary less bytes and special tokens.
const MAX_MERGES: usize = 49152 - 256 - 2;

/// Longest sequence that is taken for one: files without a limit have 10³⁰.
const MAX_LENGTH: u64 = 4096;

/// Turns prompts into token ids.
pub struct Tokenizer {
    /// Folder of the package.
    part: String,
    pieces: Pieces,
    /// Whether `pieces` expects text cleaned as Python's CLIPTokenizer cleans it.
    clean: bool,
    length: usize,
    begin: u32,
    end: u32,
    pad: u32,
}

#[derive(Deserialize)]
struct Config {
    model_max_length: Value,
    bos_token: Value,
    eos_token: Value,
    #[serde(default)]
    pad_token: Value,
}

impl Tokenizer {
    /// Reads a folder of a package, such as `tokenizer`: vocab.json with merges.txt, as pipelines with a `CLIPTokenizer` do, else
    /// tokenizer.json.
    ///
    /// # Errors
    /// [`InferenceError::Package`] for files that are missing or malformed, [`InferenceError::Unfit`] for settings that are
    /// not CLIP's.
    pub fn load(package: &Package, part: &str) -> Result<Self, InferenceError> {
        let unfit = |reason: String| InferenceError::unfit(part, reason);
        let config: Config = package.read_json(&format!("{part}/tokenizer_config.json"))?;
        let length = config.model_max_length.as_u64().filter(|length| (3..=MAX_LENGTH).contains(length));
        let length = length.ok_or_else(|| unfit(format!("its model_max_length is not 3 to {MAX_LENGTH}")))? as usize;
        let begin = content(&config.bos_token).ok_or_else(|| unfit("it has no bos_token".into()))?;
        let end = content(&config.eos_token).ok_or_else(|| unfit("it has no eos_token".into()))?;
        // What CLIPTokenizer pads with unless told.
        let pad = content(&config.pad_token).unwrap_or(end);
        let clean = package.lists(&format!("{part}/vocab.json"));
        let mut pieces = if clean { from_vocabulary(package, part, end)? } else { from_tokenizer_json(package, part)? };
        let id = |token: &str| match pieces.token_to_id(token) {
            Some(id) => Ok(id),
            None => Err(unfit(format!("its vocabulary lacks {token:?}"))),
        };
        let ids = (id(begin)?, id(end)?, id(pad)?);
        // So that they are taken as one where a prompt has them.
        pieces.add_special_tokens(&[begin, end, pad].map(|token| AddedToken::from(token, true).normalized(false)));
        let (begin, end, pad) = ids;
        Ok(Self { part: part.to_owned(), pieces, clean, length, begin, end, pad })
    }

    /// Ids that a prompt becomes, always as many.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The ids of a prompt: begin, the prompt's own, cut to fit, end, padding.
    ///
    /// # Errors
    /// [`InferenceError::Run`] if the tokeniser fails.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        let failed = |e: tokenizers::Error| InferenceError::Run { part: self.part.clone(), reason: e.to_string() };
        let text = if self.clean { cleaned(prompt) } else { prompt.to_owned() };
        let encoding = self.pieces.encode_fast(text, false).map_err(failed)?;
        let mut ids = Vec::with_capacity(self.length);
        ids.push(self.begin);
        ids.extend(encoding.get_ids().iter().take(self.length - 2));
        ids.push(self.end);
        ids.resize(self.length, self.pad);
        Ok(ids)
    }
}

/// What Python's CLIPTokenizer does to a text first: control characters out, Chinese characters apart, composed, split at
/// white space, lower case word by word (a sigma that ends a word becomes another letter). Characters that a later Unicode
/// defines are out too, so these tables are part of what a prompt means.
fn cleaned(prompt: &str) -> String {
    let kept = |c: &char| match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffd}' => false,
        _ => c.general_category_group() != GeneralCategoryGroup::Other,
    };
    let apart = |c: char| if is_chinese(c) { [Some(' '), Some(c), Some(' ')] } else { [Some(c), None, None] };
    let text: String = prompt.chars().filter(kept).flat_map(apart).flatten().nfc().collect();
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// The ranges that BERT's and so CLIP's tokeniser takes for Chinese.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4e00..=0x9fff
            | 0x3400..=0x4dbf
            | 0x20000..=0x2a6df
            | 0x2a700..=0x2b73f
            | 0x2b740..=0x2b81f
            | 0x2b820..=0x2ceaf
            | 0xf900..=0xfaff
            | 0x2f800..=0x2fa1f
    )
}

fn from_vocabulary(package: &Package, part: &str, end: &str) -> Result<Pieces, InferenceError> {
    let unfit = |e: tokenizers::Error| InferenceError::unfit(part, format!("its vocabulary is malformed: {e}"));
    let vocabulary: HashMap<String, u32> = package.read_json(&format!("{part}/vocab.json"))?;
    let merges = package.read(&format!("{part}/merges.txt"))?;
    let merges = str::from_utf8(&merges).map_err(|e| unfit(e.into()))?;
    let pair = |line: &str| {
        let (left, right) =
            line.split_once(' ').ok_or_else(|| unfit(format!("the merge {line:?} is no pair").into()))?;
        Ok((left.to_owned(), right.trim_end().to_owned()))
    };
    // The first line names the file's version.
    let merges =
        merges.trim().lines().skip(1).take(MAX_MERGES).map(pair).collect::<Result<Vec<_>, InferenceError>>()?;
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<tokenizers::models::bpe::Vocab>(), merges)
        .unk_token(end.to_owned())
        .end_of_word_suffix("</w>".into())
        .build()
        .map_err(unfit)?;
    let words = Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Removed, true).map_err(unfit)?;
    let bytes = ByteLevel::new(false, true, false);
    let mut pieces = Pieces::new(bpe);
    pieces.with_pre_tokenizer(Some(Sequence::new(vec![words.into(), bytes.into()])));
    Ok(pieces)
}

fn from_tokenizer_json(package: &Package, part: &str) -> Result<Pieces, InferenceError> {
    let malformed = |e: tokenizers::Error| InferenceError::unfit(part, format!("tokenizer.json is malformed: {e}"));
    let mut pieces = Pieces::from_bytes(package.read(&format!("{part}/tokenizer.json"))?).map_err(malformed)?;
    // Cut and padded here instead, around the end that CLIP wants after each prompt.
    pieces.with_padding(None).with_truncation(None).map_err(malformed)?;
    Ok(pieces)
}

/// A token in tokenizer_config.json: its text, or an object with its text.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

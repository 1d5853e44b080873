//! What Python's CLIPTokenizer does to a text: it cleans it, takes it apart into words, and these into pieces.
//! (CLIPTokenizerFast, which tokenizer.json describes, cleans less: where a package has both, this is followed, as
//! pipelines with a `CLIPTokenizer` do. With the Python package `ftfy` installed CLIPTokenizer is yet another; without,
//! it is this.)

use super::{BEGIN, END};
use crate::{error::InferenceError, package::Package};
use std::collections::HashMap;
use tokenizers::{Tokenizer as Pieces, models::bpe::BPE, pre_tokenizers::byte_level::ByteLevel, utils::SysRegex};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Words, single digits, runs of signs; what is between them is dropped. Python matches without regard to case, which
/// after lower-casing leaves two oddities: a long s counts as an s, and U+0345 as nothing.
const WORDS: &str = r"<\|[s\x{17F}]tartoftext\|>|<\|endoftext\|>|'[s\x{17F}]|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}\x{345}]+";

/// Merges that Python's CLIPTokenizer reads at most: the size of OpenAI's vocabulary less bytes and special tokens.
const MAX_MERGES: usize = 49152 - 256 - 2;

/// A vocabulary and its merges.
pub(super) struct Words {
    words: SysRegex,
    /// Takes one word.
    pieces: Pieces,
}

impl Words {
    /// Reads vocab.json and merges.txt in folder `part` of a package.
    pub(super) fn load(package: &Package, part: &str, unknown: &str) -> Result<Self, InferenceError> {
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
            .unk_token(unknown.to_owned())
            .end_of_word_suffix("</w>".into())
            .build()
            .map_err(unfit)?;
        let mut pieces = Pieces::new(bpe);
        pieces.with_pre_tokenizer(Some(ByteLevel::new(false, true, false)));
        Ok(Self { words: SysRegex::new(WORDS).map_err(unfit)?, pieces })
    }

    /// The id of a token of the vocabulary.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.pieces.token_to_id(token)
    }

    /// The ids of a text.
    pub(super) fn encode(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let text = cleaned(text);
        let mut ids = Vec::new();
        for (start, end) in self.words.find_iter(&text) {
            let word = text.get(start..end).unwrap_or_default();
            match self.id(word) {
                // A prompt may have these in any case.
                Some(id) if word == BEGIN || word == END => ids.push(id),
                _ => ids.extend(self.pieces.encode_fast(word, false)?.get_ids()),
            }
        }
        Ok(ids)
    }
}

/// What Python's CLIPTokenizer does to a text first: control characters out, Chinese characters apart, composed, split
/// at white space, lower case word by word (a sigma that ends a word becomes another letter). Characters that a later
/// Unicode defines are out too, so these tables are part of what a prompt means.
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

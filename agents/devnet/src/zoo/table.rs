//! Rows as JSON and as Markdown.

use super::{
    lane::{PRICE, STAKE},
    row::Row,
};
use alloy::primitives::U256;
use anyhow::{Context, Result};
use cuckoo_protocol::amount::format_cai;
use serde_json::{Value, json};
use std::{fmt::Write, fs, path::Path};

const BEGIN: &str = "<!-- begin: make adversaries -->";
const END: &str = "<!-- end: make adversaries -->";

/// What a run rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Of the machine.
    pub cores: usize,
    /// Name of the model.
    pub model: String,
    /// Share of results that is audited.
    pub rate: f64,
}

/// A row as one JSON object. Amounts in CAI.
pub fn json(row: &Row) -> Value {
    let (work, check) = row.seconds();
    json!({
        "miner": row.name,
        "honest": row.honest,
        "tasks": row.tasks,
        "audited": row.audits,
        "found": row.found,
        "detection": row.detection(),
        "predicted": row.predicted(),
        "q": row.q(),
        "operators": row.operators,
        "tasks_until_found": row.tasks_until_found(),
        "convicted": row.convicted(),
        "verdicts": row.verdicts,
        "cai_lost": format_cai(row.lost),
        "cai_gained": format_cai(row.gained),
        "picture_off_most": row.most,
        "picture_off_mean": row.mean,
        "work_seconds": work,
        "check_seconds": check,
    })
}

/// Both tables and what follows from them.
pub fn markdown(rows: &[Row], facts: &Facts) -> String {
    let mut text = String::new();
    let (honest, cheats): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.honest);
    let Facts { cores, model, rate } = facts;
    // Writing to a String cannot fail.
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or_default();
    line(format!("{cores} cores, {model}, p = {rate}, {PRICE} CAI a task, {STAKE} CAI of own stake an operator.\n"));
    line("| miner | tasks | audited | q | found, share of tasks | predicted p·q | tasks until found | predicted | convicted: jury, no answer, structure | acquitted, drawn, without a verdict | CAI lost | CAI gained, at most |".into());
    line("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|".into());
    for row in cheats {
        let verdicts = row.verdicts;
        let predicted = row.predicted();
        line(format!(
            "| {} | {} | {} | {:.2} | {:.2}% | {:.2}% | {} | {} | {}, {}, {} | {}, {}, {} | {} | {} |",
            row.name,
            row.tasks,
            row.audits,
            row.q(),
            100.0 * row.detection(),
            100.0 * predicted,
            row.tasks_until_found().map_or("–".to_owned(), |tasks| format!("{tasks:.1}")),
            if predicted > 0.0 { format!("{:.1}", 1.0 / predicted) } else { "–".to_owned() },
            verdicts.jury,
            verdicts.no_answer,
            verdicts.structure,
            verdicts.acquitted,
            verdicts.drawn,
            verdicts.missing,
            whole(row.lost),
            whole(row.gained),
        ));
    }
    line("\n| honest miner | tasks | audited | of them as a newcomer | found false | slashed |".into());
    line("|---|--:|--:|--:|--:|--:|".into());
    for row in &honest {
        let Row { name, tasks, audits, newcomer_audits, found, .. } = row;
        line(format!("| {name} | {tasks} | {audits} | {newcomer_audits} | {found} | {} |", row.convicted()));
    }
    if let Some(plain) = honest.first() {
        let (work, check) = plain.seconds();
        let share =
            |audits: f64, tasks: f64| 100.0 * audits * check / (tasks * work + audits * check).max(f64::MIN_POSITIVE);
        let (tasks, newcomers) = (plain.tasks as f64, plain.newcomer_tasks as f64);
        let ordinary = (plain.audits - plain.newcomer_audits) as f64;
        line(format!(
            "\nA result took {:.1} ms of processor time, and {:.1} ms to run again. Of all computing for the miner *{}*, audits at the rate \
             were {:.1}% ({ordinary} of {} results). As a newcomer, in its first {} results, it was audited {} times where the rate gives \
             {:.0}; with these, audits were {:.1}% of all computing.",
            1e3 * work,
            1e3 * check,
            plain.name,
            share(ordinary, tasks - newcomers),
            tasks - newcomers,
            plain.newcomer_tasks,
            plain.newcomer_audits,
            newcomers * rate,
            share(plain.audits as f64, tasks),
        ));
    }
    for row in rows.iter().filter(|row| !row.honest && row.census.1 == 0) {
        line(format!(
            "\n*{}*: pictures were off by at most {} of 255, and by {:.2} in the mean of the worst.",
            row.name, row.most, row.mean
        ));
    }
    text
}

/// Puts `text` between the markers of a file.
///
/// # Errors
/// If the file has no such markers, or cannot be written.
pub fn write_between(file: &Path, text: &str) -> Result<()> {
    let old = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let missing = || format!("{} has not the lines {BEGIN} and {END}", file.display());
    let (before, rest) = old.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    let new = format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim_end());
    fs::write(file, new).with_context(|| format!("cannot write {}", file.display()))
}

/// Whole CAI.
fn whole(wei: U256) -> String {
    let cai = wei / U256::from(1_000_000_000_000_000_000u64);
    let digits = cai.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_the_markers_is_replaced_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("before\n{BEGIN}\nold\n{END}\nafter\n")).unwrap();
        write_between(file.path(), "new\n").unwrap();
        write_between(file.path(), "newer\n").unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, format!("before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"));
        fs::write(file.path(), "no markers").unwrap();
        assert!(write_between(file.path(), "new").is_err());
    }

    #[test]
    fn amounts_are_grouped() {
        let cai = |amount: u64| U256::from(amount) * U256::from(1_000_000_000_000_000_000u64);
        assert_eq!([0, 999, 1_000, 1_234_567].map(|amount| whole(cai(amount))), ["0", "999", "1,000", "1,234,567"]);
    }
}

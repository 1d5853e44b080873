//! Rows as JSON and as Markdown.

use super::{
    juries::{self, Half},
    lane::{PRICE, STAKE},
    programs::Outcome,
    row::{Row, Verdicts},
};
use alloy::primitives::U256;
use anyhow::{Context, Result};
use cuckoo_protocol::amount::format_cai;
use serde_json::{Value, json};
use std::{fmt::Write, fs, path::Path};

/// What a run rests on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Of the machine.
    pub cores: usize,
    /// Name and id of the model.
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

/// The table of cheats.
pub fn cheats(rows: &[Row], facts: &Facts) -> String {
    let mut text = String::new();
    let Facts { cores, model, rate } = facts;
    // Writing to a String cannot fail.
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or_default();
    line(format!("{cores} cores, {model}, p = {rate}, {PRICE} CAI a task, {STAKE} CAI of own stake an operator.\n"));
    line("| miner | tasks | audited | q | found, share of tasks | predicted p·q | tasks until found | predicted | convicted: jury, no answer, structure | acquitted, drawn, without a verdict | CAI lost | CAI gained, at most |".into());
    line("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|".into());
    for row in rows {
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
    for row in rows.iter().filter(|row| row.census.1 == 0) {
        line(format!(
            "\n*{}*: pictures were off by at most {} of 255, and by {:.2} in the mean of the worst.",
            row.name, row.most, row.mean
        ));
    }
    text
}

/// The table of honest miners, and what their audits cost.
pub fn honest(rows: &[Row], facts: &Facts) -> String {
    let mut text = String::new();
    let Facts { cores, model, rate } = facts;
    let mut line = |words: String| writeln!(text, "{words}").unwrap_or_default();
    line(format!("{cores} cores, {model}, p = {rate}.\n"));
    line("| honest miner | tasks | audited | of them as a newcomer | found false | slashed |".into());
    line("|---|--:|--:|--:|--:|--:|".into());
    for row in rows {
        let Row { name, tasks, audits, newcomer_audits, found, .. } = row;
        line(format!("| {name} | {tasks} | {audits} | {newcomer_audits} | {found} | {} |", row.convicted()));
    }
    if let Some(plain) = rows.first() {
        let (work, check) = plain.seconds();
        let share = |audits: u64, tasks: u64| {
            let (audits, tasks) = (audits as f64 * check, tasks as f64 * work);
            100.0 * audits / (audits + tasks).max(f64::MIN_POSITIVE)
        };
        let sum = |count: fn(&Row) -> u64| rows.iter().map(count).sum::<u64>();
        let (tasks, audits) = (sum(|row| row.tasks), sum(|row| row.audits));
        let (newcomers, first) = (sum(|row| row.newcomer_tasks), sum(|row| row.newcomer_audits));
        line(format!(
            "\nOf the miner *{}* a result took {:.1} ms of processor time, and {:.1} ms to run again. At that, audits at the rate were \
             {:.1}% of all computing ({} of {} results). As newcomers, in their first {newcomers} results, these miners were audited \
             {first} times, where the rate gives {:.0}: {:.1}% of all computing there, and {:.1}% of all computing altogether.",
            plain.name,
            1e3 * work,
            1e3 * check,
            share(audits - first, tasks - newcomers),
            audits - first,
            tasks - newcomers,
            newcomers as f64 * rate,
            share(first, newcomers),
            share(audits, tasks),
        ));
    }
    text
}

/// The table of the real programs.
pub fn programs(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| miner, a newcomer | tasks | refused at once | convicted: jury, no answer, structure | acquitted, drawn | paid |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for Outcome { name, tasks, refused, paid, verdicts } in outcomes {
        let Verdicts { jury, no_answer, structure, acquitted, drawn, .. } = verdicts;
        text.push_str(&format!(
            "| {name} | {tasks} | {refused} | {jury}, {no_answer}, {structure} | {acquitted}, {drawn} | {paid} |\n"
        ));
    }
    text
}

/// What became of a jury's disputes as one JSON object. Amounts in CAI.
pub fn jury_json(outcome: &juries::Outcome) -> Value {
    let half = |half: &Half| {
        let odds = half.odds;
        json!({"verdicts": half.verdicts, "odds": {"right": odds.right, "wrong": odds.wrong, "drawn": odds.drawn}})
    };
    json!({
        "jury": outcome.name,
        "fakes": half(&outcome.fakes),
        "honest_results": half(&outcome.innocents),
        "rounds": outcome.rounds,
        "honest_ballots": outcome.honest.opened,
        "honest_paid": outcome.honest.paid,
        "honest_cai": format_cai(outcome.honest.earned),
        "hostile_ballots": outcome.hostile.opened,
        "hostile_paid": outcome.hostile.paid,
        "hostile_cai": format_cai(outcome.hostile.earned),
        "paid_without_computing": outcome.unearned,
    })
}

/// The table of juries, of a machine with so many cores.
pub fn juries(outcomes: &[juries::Outcome], cores: usize) -> String {
    let mut text = format!(
        "{cores} cores, juries of {} operators of equal weight, three rounds at most.\n\n\
         | jury | fakes | convicted, acquitted, drawn | predicted | accused falsely | convicted, acquitted, drawn | predicted | rounds a dispute \
         | honest jurors' ballots opened, paid | CAI | hostile jurors' ballots opened, paid | CAI |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        juries::JURORS
    );
    let count = |half: &Half| half.verdicts.convicted() + half.verdicts.acquitted + half.verdicts.drawn;
    let ends = |half: &Half| format!("{}, {}, {}", half.verdicts.jury, half.verdicts.acquitted, half.verdicts.drawn);
    let predicted = |half: &Half, odds: [f64; 3]| {
        let [convicted, acquitted, drawn] = odds.map(|odds| odds * count(half) as f64);
        format!("{convicted:.1}, {acquitted:.1}, {drawn:.1}")
    };
    for outcome in outcomes {
        let (fakes, innocents, honest, hostile) = (&outcome.fakes, &outcome.innocents, outcome.honest, outcome.hostile);
        let (guilty, innocent) = (fakes.odds, innocents.odds);
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} | {}, {} | {} | {}, {} | {} |\n",
            outcome.name,
            count(fakes),
            ends(fakes),
            predicted(fakes, [guilty.right, guilty.wrong, guilty.drawn]),
            count(innocents),
            ends(innocents),
            predicted(innocents, [innocent.wrong, innocent.right, innocent.drawn]),
            outcome.rounds as f64 / (count(fakes) + count(innocents)).max(1) as f64,
            honest.opened,
            honest.paid,
            nearest(honest.earned),
            hostile.opened,
            hostile.paid,
            nearest(hostile.earned),
        ));
    }
    text
}

/// Puts `text` between the markers of a section of a file.
///
/// # Errors
/// If the file has no such markers, or cannot be written.
pub fn write_between(file: &Path, section: &str, text: &str) -> Result<()> {
    let [begin, end] = ["begin", "end"].map(|word| format!("<!-- {word}: {section} -->"));
    let old = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let missing = || format!("{} has not the lines {begin} and {end}", file.display());
    let (before, rest) = old.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    let new = format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim_end());
    fs::write(file, new).with_context(|| format!("cannot write {}", file.display()))
}

/// CAI, to the nearest: what does not divide by the votes is less than a wei each.
fn nearest(wei: U256) -> String {
    whole(wei + U256::from(500_000_000_000_000_000u64))
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
        let [begin, end] = ["<!-- begin: a -->", "<!-- end: a -->"];
        fs::write(file.path(), format!("before\n{begin}\nold\n{end}\nafter\n")).unwrap();
        write_between(file.path(), "a", "new\n").unwrap();
        write_between(file.path(), "a", "newer\n").unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, format!("before\n{begin}\n\nnewer\n\n{end}\nafter\n"));
        assert!(write_between(file.path(), "b", "new").is_err());
    }

    #[test]
    fn amounts_are_grouped() {
        let cai = |amount: u64| U256::from(amount) * U256::from(1_000_000_000_000_000_000u64);
        assert_eq!([0, 999, 1_000, 1_234_567].map(|amount| whole(cai(amount))), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([cai(800) - U256::from(86), U256::from(86)].map(nearest), ["800", "0"]);
    }
}

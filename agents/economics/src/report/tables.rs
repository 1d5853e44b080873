//! The page's words and tables, as Markdown.

use super::{Bribe, DISPUTES, FALL, OPERATORS, OWN, Report, Ring, TokenRow, WANDER, WHOLE, percent};
use crate::{
    rules::Market,
    sweep::{Row, Split},
    washing::Washing,
};
use std::fmt::Write;

/// The least and the most that a strategy other than honesty loses beside it, CAI a month.
fn losses(rows: &[Row]) -> (f64, f64) {
    let losses = rows.iter().skip(1).map(|row| -row.advantage);
    losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)))
}

impl Report {
    /// The page's first words: what loses how much, and what the slash alone deters.
    pub fn summary(&self, market: &Market) -> String {
        let (least, most) = losses(&self.strategies);
        let (least_dry, most_dry) = losses(&self.dry);
        let now = self.prices.iter().find(|row| row.token == 1.0);
        let (highest, puppet) = now.map_or((f64::NAN, f64::NAN), |row| (row.highest, row.highest_puppet));
        let outcome = if least.min(least_dry) > 0.0 {
            "every way to cheat that was tried loses"
        } else {
            "NOT every way to cheat that was tried loses"
        };
        format!(
            "**In short.** With pictures of {} CAI, {OWN} CAI of own stake and {} audits {outcome}: by {least:.0} to {most:.0} CAI a month beside honest\n\
             neighbours, most of it the streams' income of the jail terms; on fees alone by {least_dry:.0} to {most_dry:.0}. The slash alone deters fakes of tasks up to {highest:.0} CAI, and\n\
             up to {puppet:.0} CAI if the cheat has a puppet accuse it first.\n",
            market.price,
            percent(market.audit)
        )
    }

    /// The tables, as Markdown.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        self.strategy_table(&mut text, &self.strategies, "Miners with 30,000 CAI of their own and no votes:");
        self.strategy_table(&mut text, &self.backed, "The same with 120,000 CAI of votes behind each:");
        self.strategy_table(&mut text, &self.dry, "The first ones on fees alone, where neither stream pays:");
        let _ = writeln!(
            text,
            "The least audit rate by the inequality and by the game, where nothing but the slash deters (no jail, no streams):\n"
        );
        let _ = writeln!(
            text,
            "| price of a task, CAI | own stake, CAI | fraction | inequality | game | ± over seeds |\n|--:|--:|--:|--:|--:|--:|"
        );
        for rate in &self.rates {
            let (found, spread) = rate
                .found
                .map_or_else(|| ("none".to_owned(), "–".to_owned()), |(mean, spread)| (percent(mean), percent(spread)));
            let (price, own, fraction) = (rate.price, rate.own, percent(rate.fraction));
            let _ = writeln!(text, "| {price} | {own} | {fraction} | {} | {found} | {spread} |", percent(rate.named));
        }
        self.fraction_table(&mut text);
        self.jury_strategies(&mut text);
        self.token_table(&mut text);
        self.stake_tables(&mut text);
        let _ = writeln!(
            text,
            "\nWhat juries find of a guilty miner ({DISPUTES} disputes drawn each, {OPERATORS} operators of equal weight):\n"
        );
        let _ = writeln!(
            text,
            "| weight that votes against the truth | weight that stays away | convicted | acquitted | drawn |\n|--:|--:|--:|--:|--:|"
        );
        for row in &self.juries {
            let [a, b, c, d, e] = [row.colluding, row.absent, row.right, row.wrong, row.drawn].map(percent);
            let _ = writeln!(text, "| {a} | {b} | {c} | {d} | {e} |");
        }
        let _ = writeln!(
            text,
            "\nThe highest price of a task for which no single fake pays, 30,000 CAI of own stake, in CAI at the token's first price:\n"
        );
        let _ = writeln!(text, "| token's price | accused by another | by its own puppet |\n|--:|--:|--:|");
        for row in &self.prices {
            let _ = writeln!(text, "| {} | {:.1} | {:.1} |", percent(row.token), row.highest, row.highest_puppet);
        }
        text
    }

    fn strategy_table(&self, text: &mut String, rows: &[Row], title: &str) {
        let _ = writeln!(text, "{title}\n");
        let _ = writeln!(
            text,
            "| strategy | CAI a month beside honesty | ± over runs | results faked | audited | fakes until convicted | convictions in half a year | its voters lost, CAI |\n|---|--:|--:|--:|--:|--:|--:|--:|"
        );
        for row in rows {
            let until = row.until.map_or_else(|| "–".to_owned(), |until| format!("{until:.1}"));
            let (faked, audited) = (percent(row.faked), percent(row.audited));
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0} | {faked} | {audited} | {until} | {:.2} | {:.0} |",
                row.strategy.to_lowercase(),
                row.advantage,
                row.spread,
                row.convictions,
                row.voters_loss
            );
        }
        let _ = writeln!(text);
    }

    fn fraction_table(&self, text: &mut String) {
        let _ = writeln!(text, "\nThe least fraction to slash, likewise, at the audit rate as it is:\n");
        let _ = writeln!(
            text,
            "| price of a task, CAI | own stake, CAI | inequality | game | ± over seeds |\n|--:|--:|--:|--:|--:|"
        );
        for row in &self.fractions {
            let (found, spread) = row
                .found
                .map_or_else(|| ("none".to_owned(), "–".to_owned()), |(mean, spread)| (percent(mean), percent(spread)));
            let _ = writeln!(text, "| {} | {} | {} | {found} | {spread} |", row.price, row.own, percent(row.named));
        }
    }

    fn jury_strategies(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\nRings whose members fake dear tasks once they count as known, and acquit each other. Where all are honest, a miner earns {:.0} CAI a month,\n\
             without the streams {:.0}:\n",
            self.honest, self.honest_dry
        );
        let _ = writeln!(
            text,
            "| share of the weight | CAI a month of a member | without the streams | results faked | convictions in half a year |\n|--:|--:|--:|--:|--:|"
        );
        for Ring { share, row, dry } in &self.rings {
            let (share, faked) = (percent(*share), percent(row.faked));
            let _ = writeln!(
                text,
                "| {share} | {:.0} | {:.0} | {faked} | {:.2} |",
                row.profit, dry.profit, row.convictions
            );
        }
        let _ = writeln!(
            text,
            "\nThe same fakes by a tenth of the miners, who pay jurors for staying away each time that they are drawn:\n"
        );
        let _ = writeln!(
            text,
            "| operators who take it | CAI for each | CAI a month of a briber | results faked | convictions in half a year |\n|--:|--:|--:|--:|--:|"
        );
        for Bribe { venal, bribe, row } in &self.bribes {
            let (venal, faked) = (percent(*venal), percent(row.faked));
            let _ = writeln!(text, "| {venal} | {bribe} | {:.0} | {faked} | {:.2} |", row.profit, row.convictions);
        }
    }

    fn token_table(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\nCAI a month beside honesty, valued at each day's price, while the token's price moves:\n\n\
             | strategy | steady | falls to {} halfway | wanders by {} a day |\n|---|--:|--:|--:|",
            percent(FALL),
            percent(WANDER)
        );
        for TokenRow { strategy, steady, falls, wanders } in &self.tokens {
            let [a, b, c] = [steady, falls, wanders].map(|(mean, spread)| format!("{mean:.0} ± {spread:.0}"));
            let _ = writeln!(text, "| {} | {a} | {b} | {c} |", strategy.to_lowercase());
        }
    }

    fn stake_tables(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "\n{WHOLE} CAI of own stake in one operator or in several, CAI a month for all of it:\n\n\
             | strategy | operators | CAI a month | ± over runs |\n|---|--:|--:|--:|"
        );
        for Split { strategy, parts, profit, spread } in &self.splits {
            let _ = writeln!(text, "| {} | {parts} | {profit:.0} | {spread:.0} |", strategy.to_lowercase());
        }
        let _ = writeln!(
            text,
            "\nA coordinator with a tenth of the coordinators' weight that trades with its own miners, CAI a month. Honest miners collect \
             {:.0} from it:\n\n\
             | traded with itself | burned | its miners' part of the stream | gained | left to honest miners |\n|--:|--:|--:|--:|--:|",
            self.washing.first().map_or(0.0, |row| row.honest_fees)
        );
        for row in &self.washing {
            let Washing { volume, burned, earned, left, .. } = *row;
            let _ = writeln!(text, "| {volume:.0} | {burned:.0} | {earned:.0} | {:.0} | {left:.0} |", earned - burned);
        }
    }
}

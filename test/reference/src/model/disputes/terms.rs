//! A dispute's numbers.

use alloy::primitives::{Address, U256, aliases::U80};

use super::Model;
use crate::{abi::disputes::IDisputes, math::WAD, revert::Effect};

/// Bond and fee are within these. CAI wei.
const DEPOSIT: std::ops::RangeInclusive<u128> = WAD..=100_000 * WAD;
/// The longest that a conviction jails for. Seconds.
const LONGEST_JAIL: u64 = 365 * 86_400;

/// What a dispute's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// CAI wei.
    pub bond: u128,
    /// CAI wei.
    pub jury_fee: u128,
    /// WAD.
    pub fraction: u128,
    /// Seconds.
    pub jail_term: u64,
    /// Seconds.
    pub max_offer_life: u64,
    /// Seconds.
    pub challenge_window: u64,
    /// Seconds.
    pub answer_window: u64,
    /// Seconds.
    pub seed_window: u64,
    /// Seconds.
    pub commit_window: u64,
    /// Seconds.
    pub reveal_window: u64,
    /// Seconds.
    pub veto_window: u64,
    /// Operators.
    pub min_jurors: u16,
    /// Juries, one after the other.
    pub rounds: u8,
}

impl Terms {
    /// As the contract takes them.
    ///
    /// # Panics
    /// If a number does not fit: none of those that are made here is so large.
    pub fn encode(&self) -> IDisputes::Parameters {
        let seconds = |n: u64| u32::try_from(n).expect("seconds of more than 32 bits");
        IDisputes::Parameters {
            bond: U80::from(self.bond),
            juryFee: U80::from(self.jury_fee),
            fraction: u64::try_from(self.fraction).expect("a fraction of more than 64 bits"),
            jailTerm: seconds(self.jail_term),
            maxOfferLife: seconds(self.max_offer_life),
            challengeWindow: seconds(self.challenge_window),
            answerWindow: seconds(self.answer_window),
            seedWindow: seconds(self.seed_window),
            commitWindow: seconds(self.commit_window),
            revealWindow: seconds(self.reveal_window),
            vetoWindow: seconds(self.veto_window),
            minJurors: self.min_jurors,
            rounds: self.rounds,
        }
    }

    /// From an offer to the end of its last dispute. Seconds.
    fn longest(&self) -> u64 {
        let jury = self.seed_window + self.commit_window + self.reveal_window;
        let before = self.max_offer_life + self.challenge_window + self.answer_window;
        before + jury * u64::from(self.rounds) + self.veto_window
    }
}

impl Model {
    pub(in crate::model) fn set_terms(&mut self, caller: Address, terms: Terms) -> Effect<usize> {
        self.require_owner(caller)?;
        let windows =
            [terms.challenge_window, terms.answer_window, terms.seed_window, terms.commit_window, terms.reveal_window];
        let no_window = windows.into_iter().min().filter(|least| *least == 0).map(u128::from);
        let outside = |is: bool, value: u128| is.then_some(value);
        let first = [
            ("bond", outside(!DEPOSIT.contains(&terms.bond), terms.bond)),
            ("juryFee", outside(!DEPOSIT.contains(&terms.jury_fee), terms.jury_fee)),
            ("fraction", outside(terms.fraction == 0 || terms.fraction > WAD / 2, terms.fraction)),
            ("jailTerm", outside(terms.jail_term > LONGEST_JAIL, terms.jail_term.into())),
            (
                "maxOfferLife",
                outside(
                    terms.max_offer_life == 0 || terms.max_offer_life > self.parameters.node_grace,
                    terms.max_offer_life.into(),
                ),
            ),
            ("window", no_window),
            ("minJurors", outside(!(1..=16).contains(&terms.min_jurors), terms.min_jurors.into())),
            ("rounds", outside(!(1..=3).contains(&terms.rounds), terms.rounds.into())),
        ];
        if let Some((name, value)) = first.into_iter().find_map(|(name, value)| Some((name, value?))) {
            return Err(IDisputes::InvalidParameter { name: name.into(), value: U256::from(value) }.into());
        }
        let (total, limit) = (terms.longest(), 2 * self.parameters.epoch_length);
        if total > limit {
            return Err(IDisputes::ParametersDoNotFit { total: U256::from(total), limit: U256::from(limit) }.into());
        }
        self.disputes.terms.push(terms);
        let (version, _) = self.disputes.current();
        self.emit(
            self.at.disputes,
            IDisputes::ParametersSet { version: U256::from(version), parameters: terms.encode() },
        );
        Ok(version)
    }
}

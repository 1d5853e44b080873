//! Whether honesty pays: the whole game over months with the contracts' own parameters, beside the inequality that it rests on.

pub mod game;
pub mod jury;
pub mod page;
pub mod plots;
pub mod report;
pub mod rules;
pub mod sweep;
pub mod theory;
pub mod washing;

#[cfg(test)]
mod tests;

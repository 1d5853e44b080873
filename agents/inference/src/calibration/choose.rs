//! From what honest machines and fakes were measured to be off, to what is allowed.

use cuckoo_protocol::{
    body::Decimal,
    manifest::{Calibrated, FAKE_MARGIN, HONEST_MARGIN, Tolerance},
};

/// Honest machines that were not measured are taken to be off by this much: sums of fp32 numbers in another order are.
pub const LEAST_SPREAD: f64 = 1e-6;

/// A picture's byte may differ by so much more than between the machines that were measured, where rounding is taken to tip
/// one by one level at least.
pub const PIXEL_MARGIN: u32 = 1;

/// A floor may be smaller than the one that separates best, by this share of what that separates: the smaller it is, the
/// more of the small steps are judged by their own size.
const NEARLY_BEST: f64 = 0.8;

/// What was measured with some floor.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// What τ is held against in the worst honest trace.
    pub(super) honest: f64,
    /// Largest difference of a byte of an honest picture.
    pub(super) pixel: u32,
    /// The fake that is nearest to honest work, and the same in the least bad of its traces.
    pub(super) nearest: Option<(String, f64)>,
}

impl Spread {
    /// How many times honest work the nearest fake is off. Off by more than the step itself is no further from honest.
    fn ratio(&self) -> f64 {
        self.nearest.as_ref().map_or(0.0, |(_, off)| off.min(1.0) / self.honest.max(LEAST_SPREAD))
    }
}

/// Why there is no tolerance that tells honest work from fakes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Inseparable {
    /// Nothing to tell honest work from.
    #[error("no fake of this model could be measured, so nothing is known about telling any from honest work")]
    NoFakes,
    /// A way to compute it more cheaply or with other weights that could not be tried, so that nobody knows whether it would be found.
    #[error("{fake} could not be measured, so nothing is known about telling it from honest work: {why}")]
    Unmeasured {
        /// Which.
        fake: String,
        /// Why not.
        why: String,
    },
    /// A fake is too near to honest work.
    #[error(
        "{fake} is too near to honest work: it is off by {off:.1e}, {ratio:.1} times what honest machines are \
         ({honest:.1e}); {needed} times are needed"
    )]
    TooNear {
        /// Which.
        fake: String,
        /// What τ is held against, in its least bad trace.
        off: f64,
        /// The same in the worst honest trace.
        honest: f64,
        /// Between the two.
        ratio: f64,
        /// What it would have to be.
        needed: f64,
    },
}

/// The floor from which on nothing is separated much better, and with it the τ in the middle, on a logarithmic scale, of
/// what both margins leave: [`HONEST_MARGIN`] · honest ≤ τ ≤ nearest fake / [`FAKE_MARGIN`]. `spread` says what was measured on so many
/// `requests`, as seen with a floor, `moved` how far the honest steps move.
pub(super) fn choose(spread: impl Fn(f64) -> Spread, moved: &[f64], requests: u32) -> Result<Tolerance, Inseparable> {
    let seen: Vec<(f64, Spread)> = floors(moved).into_iter().map(|floor| (floor, spread(floor))).collect();
    let best = seen.iter().map(|(_, spread)| spread.ratio()).fold(0.0, f64::max);
    let chosen =
        seen.into_iter().find(|(_, spread)| spread.ratio() >= NEARLY_BEST * best).ok_or(Inseparable::NoFakes)?;
    let (floor, Spread { honest, pixel, nearest }) = chosen;
    let (fake, off) = nearest.ok_or(Inseparable::NoFakes)?;
    // As the manifest will have them, which is what τ must lie between.
    let calibrated = Calibrated { requests, honest: decimal(honest.max(LEAST_SPREAD)), fake: decimal(off.min(1.0)) };
    let [least, most] = [HONEST_MARGIN * calibrated.honest.to_f64(), calibrated.fake.to_f64() / FAKE_MARGIN];
    if least > most {
        let (honest, needed) = (honest.max(LEAST_SPREAD), HONEST_MARGIN * FAKE_MARGIN);
        return Err(Inseparable::TooNear { fake, off, honest, ratio: off / honest, needed });
    }
    let (step, pixel) = (decimal(between(least, most)), pixel.max(1) + PIXEL_MARGIN);
    Ok(Tolerance { step, floor: decimal(floor), pixel, calibrated: Some(calibrated) })
}

/// Floors worth looking at, in ascending order: 1, 2 and 5 times powers of ten, from a tenth of the least movement up to
/// the median one, so that at least half of the steps are judged by their own size.
fn floors(moved: &[f64]) -> Vec<f64> {
    let mut moved: Vec<f64> = moved.iter().copied().filter(|moved| moved.is_normal()).collect();
    moved.sort_unstable_by(f64::total_cmp);
    let (Some(least), Some(median)) = (moved.first(), moved.get(moved.len() / 2)) else { return Vec::new() };
    let (from, to) = (least / 10.0, *median);
    let powers = (-9..=8).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    let floors: Vec<f64> = powers.filter(|floor| (from..=to).contains(floor)).collect();
    if floors.is_empty() { vec![to] } else { floors }
}

/// The geometric mean with as few digits as stay between the two.
fn between(least: f64, most: f64) -> f64 {
    let middle = (least * most).sqrt();
    let short = (1..=3).map(|digits| rounded(middle, digits));
    short.into_iter().find(|value| (least..=most).contains(value)).unwrap_or(middle)
}

/// To so many significant digits.
fn rounded(value: f64, digits: i32) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let unit = 10_f64.powi(value.log10().floor() as i32 + 1 - digits);
    (value / unit).round() * unit
}

/// With the nine decimals that manifests have.
fn decimal(value: f64) -> Decimal {
    // Neither measured nor chosen values are NaN: comparisons would have refused them.
    format!("{:.9}", value.clamp(0.0, 999_999_999.0)).parse().expect("nine digits on either side of a point")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVED: [f64; 3] = [0.02, 0.1, 0.3];

    /// The same with any floor.
    fn flat(honest: f64, off: f64) -> impl Fn(f64) -> Spread {
        move |_| Spread { honest, pixel: 0, nearest: Some(("int8".into(), off)) }
    }

    #[test]
    fn tau_lies_in_the_middle_of_what_the_margins_leave() {
        // 10 × 4e-6 to 2.7e-3 / 3: the middle of 4e-5 and 9e-4 is 1.9e-4.
        let tolerance = choose(flat(4e-6, 2.7e-3), &MOVED, 8).unwrap();
        assert_eq!(tolerance.step.to_string(), "0.0002");
        assert_eq!(tolerance.pixel, 2);
        let calibrated = Calibrated { requests: 8, honest: decimal(4e-6), fake: decimal(2.7e-3) };
        assert_eq!(tolerance.calibrated.as_ref(), Some(&calibrated));
        assert!(tolerance.separates());
        // One digit would be outside.
        let narrow = choose(flat(1.12e-6, 3.45e-5), &MOVED, 8).unwrap();
        assert!((1.12e-5..1.15e-5).contains(&narrow.step.to_f64()) && narrow.separates(), "{narrow:?}");
        // Nor where nothing but one value is left.
        for honest in [1e-6, 1.7e-6, 3.3e-5, 7.77e-4] {
            assert!(choose(flat(honest, 30.001 * honest), &MOVED, 8).unwrap().separates(), "{honest}");
        }
    }

    #[test]
    fn a_fake_that_is_too_near_is_named_with_the_ratio() {
        let error = choose(flat(1e-4, 2.9e-3), &MOVED, 8).unwrap_err();
        assert!(
            matches!(&error, Inseparable::TooNear { fake, ratio, .. } if fake == "int8" && (ratio - 29.0).abs() < 1e-9)
        );
        assert!(
            error.to_string().contains("29.0 times") && error.to_string().contains("30 times are needed"),
            "{error}"
        );
        assert!(choose(flat(1e-4, 3.01e-3), &MOVED, 8).is_ok());
        for hopeless in [(1e-4, 0.0), (f64::INFINITY, 1.0), (0.05, 100.0)] {
            assert!(choose(flat(hopeless.0, hopeless.1), &MOVED, 8).is_err(), "{hopeless:?}");
        }
        let none = |_| Spread { honest: 1e-6, pixel: 0, nearest: None };
        assert_eq!(choose(none, &MOVED, 8), Err(Inseparable::NoFakes));
        assert_eq!(choose(flat(1e-6, 1.0), &[], 8), Err(Inseparable::NoFakes));
    }

    #[test]
    fn machines_that_agree_bit_for_bit_are_not_taken_for_all_there_are() {
        let tolerance = choose(flat(0.0, 3e-3), &MOVED, 8).unwrap();
        assert_eq!(tolerance.step.to_string(), "0.0001");
    }

    #[test]
    fn the_floor_is_the_least_that_separates_nearly_best() {
        assert_eq!(floors(&MOVED), [0.002, 0.005, 0.01, 0.02, 0.05, 0.1]);
        assert_eq!(floors(&[0.3]), [0.05, 0.1, 0.2]);
        assert_eq!(floors(&[0.0, f64::NAN]), [0.0; 0]);
        // Rounding of the state weighs most where it hardly moves; the fake is as bad everywhere.
        let seen = |floor: f64| Spread { honest: 1e-6_f64.max(1e-7 / floor), ..flat(0.0, 3e-3)(floor) };
        let tolerance = choose(seen, &MOVED, 8).unwrap();
        assert_eq!((tolerance.floor.to_string(), tolerance.step.to_string()), ("0.1".into(), "0.0001".into()));
        assert_eq!(choose(flat(1e-6, 3e-3), &MOVED, 8).unwrap().floor.to_string(), "0.002");
    }

    #[test]
    fn digits_are_significant_ones() {
        assert!((rounded(0.0123, 1) - 0.01).abs() < 1e-12);
        assert!((rounded(0.0187, 2) - 0.019).abs() < 1e-12);
        assert_eq!((rounded(0.0, 1), rounded(f64::INFINITY, 1)), (0.0, 0.0));
    }
}

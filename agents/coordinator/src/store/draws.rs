//! Rows of draws.

use super::{Store, StoreError, address, bytes};
use alloy::primitives::{Address, U256};
use cuckoo_protocol::draw::{At, Candidate, PassedOver, Reason};
use sqlx::{Row, Sqlite, Transaction};

/// A logged draw, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawRecord {
    /// Its number.
    pub sequence: u64,
    /// Unix day whose secret was used.
    pub day: u64,
    /// What of the chain was known; none of draws from before this was logged.
    pub at: Option<At>,
    /// Who got the task.
    pub chosen: Address,
    /// Sorted by address.
    pub candidates: Vec<Candidate>,
    /// The other active miners.
    pub passed_over: Vec<PassedOver>,
}

impl Store {
    /// A logged draw by its number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn draw(&self, sequence: u64) -> Result<Option<DrawRecord>, StoreError> {
        let Ok(number) = i64::try_from(sequence) else { return Ok(None) };
        let query = "SELECT draws.*, block, final_block, passed_over FROM draws LEFT JOIN draw_views USING (sequence) \
                     WHERE draws.sequence = ?";
        let Some(row) = sqlx::query(query).bind(number).fetch_optional(&self.readers).await? else { return Ok(None) };
        let unsigned = |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(i64::unsigned_abs));
        let blocks = unsigned("block")?.zip(unsigned("final_block")?);
        Ok(Some(DrawRecord {
            sequence,
            day: row.try_get::<i64, _>("day")?.unsigned_abs(),
            at: blocks.map(|(block, final_block)| At { block, final_block }),
            chosen: address(&row, "chosen")?,
            candidates: unpack_candidates(&bytes(&row, "candidates")?),
            passed_over: unpack_passed(&row.try_get::<Option<Vec<u8>>, _>("passed_over")?.unwrap_or_default())?,
        }))
    }
}

/// Logs a draw with the lease that it led to.
pub(super) async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    draw: &DrawRecord,
    task: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO draws (sequence, day, task, chosen, candidates) VALUES (?, ?, ?, ?, ?)")
        .bind(draw.sequence as i64)
        .bind(draw.day as i64)
        .bind(task)
        .bind(draw.chosen.as_slice())
        .bind(pack_candidates(&draw.candidates))
        .execute(&mut **transaction)
        .await?;
    if let Some(at) = draw.at {
        sqlx::query("INSERT INTO draw_views (sequence, block, final_block, passed_over) VALUES (?, ?, ?, ?)")
            .bind(draw.sequence as i64)
            .bind(at.block as i64)
            .bind(at.final_block as i64)
            .bind(pack_passed(&draw.passed_over))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

const CANDIDATE: usize = 20 + 32;
const PASSED: usize = 20 + 1;

fn pack_candidates(candidates: &[Candidate]) -> Vec<u8> {
    candidates.iter().flat_map(|c| [&c.miner.0[..], &c.weight.to_be_bytes::<32>()].concat()).collect()
}

fn unpack_candidates(packed: &[u8]) -> Vec<Candidate> {
    packed
        .chunks_exact(CANDIDATE)
        .map(|record| Candidate {
            miner: Address::from_slice(&record[..20]),
            weight: U256::from_be_slice(&record[20..]),
        })
        .collect()
}

fn pack_passed(passed: &[PassedOver]) -> Vec<u8> {
    let place = |reason| Reason::ALL.iter().position(|one| *one == reason).map_or(u8::MAX, |place| place as u8);
    passed.iter().flat_map(|p| [&p.miner.0[..], &[place(p.reason)]].concat()).collect()
}

fn unpack_passed(packed: &[u8]) -> Result<Vec<PassedOver>, StoreError> {
    packed
        .chunks_exact(PASSED)
        .map(|record| {
            let reason = Reason::ALL.get(usize::from(record[20])).ok_or(StoreError::Malformed("passed_over"))?;
            Ok(PassedOver { miner: Address::from_slice(&record[..20]), reason: *reason })
        })
        .collect()
}

//! The ledger of each channel: the highest voucher held, and what is known to have been earned.

use super::{Store, StoreError, address, amount, signature};
use crate::voucher::{Channel, VoucherError};
use alloy::primitives::{Address, B256, U256};
use cuckoo_protocol::{contracts::Voucher, message::Signed};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

/// A channel's row.
struct Ledger {
    owed: U256,
    voucher: Signed<Voucher>,
}

impl Store {
    /// The highest voucher of a channel.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn voucher(&self, payer: Address, payee: Address) -> Result<Option<Signed<Voucher>>, StoreError> {
        let mut transaction = self.database.begin().await?;
        Ok(ledger(&mut transaction, payer, payee).await?.map(|ledger| ledger.voucher))
    }

    /// The highest voucher of every channel.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn vouchers(&self) -> Result<Vec<Signed<Voucher>>, StoreError> {
        let rows = sqlx::query("SELECT * FROM channels ORDER BY payer, payee").fetch_all(&self.database).await?;
        rows.iter().map(|row| Ok(read(row)?.voucher)).collect()
    }

    /// Takes the checked voucher that came with a login, if it is not below the one held, and compares with what is owed.
    ///
    /// It may count results whose acceptance this miner never heard of, and work from before its data was lost.
    ///
    /// # Errors
    /// [`StoreError`]. The inner error is a coordinator that does not sign for all that it owes.
    pub async fn settle(
        &self,
        channel: &Channel,
        voucher: Option<&Signed<Voucher>>,
    ) -> Result<Result<(), VoucherError>, StoreError> {
        let mut transaction = self.database.begin().await?;
        let held = ledger(&mut transaction, channel.payer, channel.payee).await?;
        let owed = held.as_ref().map_or(U256::ZERO, |held| held.owed);
        let mut promised = held.as_ref().map_or(U256::ZERO, |held| held.voucher.message.cumulative);
        if let Some(voucher) = voucher {
            promised = promised.max(voucher.message.cumulative);
            write(&mut transaction, held, voucher, owed).await?;
        }
        transaction.commit().await?;
        Ok(if promised < owed { Err(VoucherError::Underpaid { promised, owed }) } else { Ok(()) })
    }

    /// Books the acceptance of the pending result `offer_hash`: its price is owed, the result is no longer pending, and the
    /// checked `voucher` is kept if it is not below the one held. One transaction; a repetition books nothing.
    ///
    /// # Errors
    /// [`StoreError`]. The inner error is a voucher below what is owed; the booking was made all the same.
    pub async fn accept(
        &self,
        offer_hash: B256,
        voucher: &Signed<Voucher>,
    ) -> Result<Result<(), VoucherError>, StoreError> {
        let Voucher { payer, payee, cumulative } = voucher.message;
        let mut transaction = self.database.begin().await?;
        let earned: Option<String> = sqlx::query_scalar("DELETE FROM pending WHERE offer_hash = ? RETURNING price")
            .bind(offer_hash.as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        let earned = earned.map_or(Ok(U256::ZERO), |price| amount(&price))?;
        let held = ledger(&mut transaction, payer, payee).await?;
        let owed = held.as_ref().map_or(U256::ZERO, |held| held.owed).saturating_add(earned);
        write(&mut transaction, held, voucher, owed).await?;
        transaction.commit().await?;
        Ok(if cumulative < owed { Err(VoucherError::Underpaid { promised: cumulative, owed }) } else { Ok(()) })
    }
}

/// Writes a channel's row. At least `voucher` less all that is pending is owed: a result whose acceptance was lost on the way
/// is in the voucher already, and its repeated submission must not look underpaid.
async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    held: Option<Ledger>,
    voucher: &Signed<Voucher>,
    owed: U256,
) -> Result<(), StoreError> {
    let Voucher { payer, payee, cumulative } = voucher.message;
    let pending: Vec<String> = sqlx::query_scalar("SELECT price FROM pending WHERE coordinator = ? AND miner = ?")
        .bind(payer.as_slice())
        .bind(payee.as_slice())
        .fetch_all(&mut **transaction)
        .await?;
    let mut unsettled = U256::ZERO;
    for price in pending {
        unsettled = unsettled.saturating_add(amount(&price)?);
    }
    let owed = owed.max(cumulative.saturating_sub(unsettled));
    // At equal totals the newer one is taken: its node may have replaced the other's.
    let highest = match &held {
        Some(held) if held.voucher.message.cumulative > cumulative => &held.voucher,
        _ => voucher,
    };
    sqlx::query("INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?)")
        .bind(payer.as_slice())
        .bind(payee.as_slice())
        .bind(owed.to_string())
        .bind(highest.message.cumulative.to_string())
        .bind(highest.signature_bytes())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn ledger(
    transaction: &mut Transaction<'_, Sqlite>,
    payer: Address,
    payee: Address,
) -> Result<Option<Ledger>, StoreError> {
    let row = sqlx::query("SELECT * FROM channels WHERE payer = ? AND payee = ?")
        .bind(payer.as_slice())
        .bind(payee.as_slice())
        .fetch_optional(&mut **transaction)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<Ledger, StoreError> {
    let voucher = Voucher {
        payer: address(row.try_get("payer")?)?,
        payee: address(row.try_get("payee")?)?,
        cumulative: amount(row.try_get("cumulative")?)?,
    };
    let signature = signature(row.try_get("signature")?)?;
    Ok(Ledger { owed: amount(row.try_get("owed")?)?, voucher: Signed { message: voucher, signature } })
}

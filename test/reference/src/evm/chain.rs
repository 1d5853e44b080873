//! A chain in memory.

use alloy::{
    primitives::{Address, Bytes, TxKind, U256},
    sol_types::{SolCall, SolValue},
};
use anyhow::{Context as _, Result, bail, ensure};
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm,
    context::{TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    handler::MainnetContext,
    primitives::hardfork::SpecId,
};

use super::Artefacts;
use crate::{
    model::Outcome,
    network::{CHAIN_ID, Cast, Contracts, Parameters},
};

/// More than any verb takes.
const GAS: u64 = 100_000_000;

/// The contracts, deployed, on an EVM of the fork that they are compiled for.
pub struct Chain {
    evm: MainnetEvm<MainnetContext<InMemoryDB>>,
    /// Where they are.
    pub at: Contracts,
}

impl Chain {
    /// Deploys everything as `script/Deploy.s.sol` does.
    ///
    /// # Errors
    /// If a constructor refuses.
    pub fn deploy(
        artefacts: &Artefacts,
        cast: &Cast,
        parameters: &Parameters,
        slashers: &[Address],
        now: u64,
    ) -> Result<Self> {
        let context = Context::mainnet().with_db(InMemoryDB::default()).modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::SHANGHAI);
            cfg.chain_id = CHAIN_ID;
            cfg.disable_nonce_check = true;
            // Payments can be the caller.
            cfg.disable_eip3607 = true;
        });
        let deployer = cast.treasury;
        let at = Contracts {
            cai: deployer.create(0),
            staking: deployer.create(1),
            registry: deployer.create(2),
            payments: deployer.create(3),
            mining: deployer.create(4),
            disputes: deployer.create(6),
        };
        let mut chain = Self { evm: context.build_mainnet(), at };
        chain.evm.ctx.modify_block(|block| {
            block.gas_limit = u64::MAX;
            block.basefee = 0;
        });
        chain.set_time(now, 1);

        let u = U256::from::<u128>;
        let t = U256::from::<u64>;
        let p = parameters;
        let staking_parameters = (
            t(p.epoch_length),
            u(p.min_miner_stake),
            u(p.min_coordinator_stake),
            t(p.reward_period),
            cast.guardian,
            t(p.guardian_expiry),
        );
        let staking =
            (at.cai, at.registry, at.payments, cast.owner, staking_parameters, [slashers, &[at.disputes]].concat());
        let (thaw, notice, jail) = (t(p.thaw_period), t(p.notice_period), t(p.payments_jail_term));
        let payments = (at.cai, at.staking, at.registry, thaw, u(p.burn_fee), notice, jail, cast.owner);
        let mining = (at.cai, at.payments, t(now / p.epoch_length + 1), t(p.mining_epochs));
        let randomness = deployer.create(5);
        let disputes = (at.cai, at.staking, at.registry, randomness, cast.owner, p.disputes.encode());
        let arguments = [
            ("CAI", (cast.treasury,).abi_encode_params(), at.cai),
            ("Staking", staking.abi_encode_params(), at.staking),
            ("Registry", (at.staking, t(p.node_grace)).abi_encode_params(), at.registry),
            ("Payments", payments.abi_encode_params(), at.payments),
            ("MiningRewards", mining.abi_encode_params(), at.mining),
            ("BlockHashRandomness", Vec::new(), randomness),
            ("Disputes", disputes.abi_encode_params(), at.disputes),
        ];
        for (name, arguments, expected) in arguments {
            chain.create(artefacts, deployer, name, &arguments, expected)?;
        }
        Ok(chain)
    }

    fn create(
        &mut self,
        artefacts: &Artefacts,
        from: Address,
        name: &str,
        args: &[u8],
        expected: Address,
    ) -> Result<()> {
        let code = artefacts.creation(name, args);
        let result = self.evm.transact_commit(transaction(from, TxKind::Create, code)?)?;
        ensure!(result.is_success(), "the constructor of {name} reverted: {result:?}");
        let created = result.created_address();
        ensure!(created == Some(expected), "{name} came to {created:?}, not to {expected}");
        Ok(())
    }

    /// The time of the next calls, and the number of their block.
    pub fn set_time(&mut self, now: u64, number: u64) {
        self.evm.ctx.modify_block(|block| {
            block.timestamp = U256::from(now);
            block.number = U256::from(number);
        });
    }

    /// Sends a transaction.
    ///
    /// # Errors
    /// If it did not run at all, or ran out of gas.
    pub fn send(&mut self, from: Address, to: Address, data: Bytes) -> Result<Outcome> {
        let result = self.evm.transact_commit(transaction(from, TxKind::Call(to), data)?)?;
        outcome(result)
    }

    /// Asks without changing anything.
    ///
    /// # Errors
    /// As `send`.
    pub fn ask<C: SolCall>(&mut self, to: Address, call: &C) -> Result<Result<Bytes, Bytes>> {
        let transaction = transaction(Address::ZERO, TxKind::Call(to), call.abi_encode().into())?;
        let result = self.evm.transact(transaction)?.result;
        Ok(outcome(result)?.result)
    }
}

fn transaction(from: Address, kind: TxKind, data: Bytes) -> Result<TxEnv> {
    let builder = TxEnv::builder().caller(from).kind(kind).data(data).gas_limit(GAS).gas_price(0);
    builder.chain_id(Some(CHAIN_ID)).build().ok().context("no transaction")
}

fn outcome(result: ExecutionResult) -> Result<Outcome> {
    match result {
        ExecutionResult::Success { output, logs, .. } => Ok(Outcome { result: Ok(output.into_data()), logs }),
        ExecutionResult::Revert { output, .. } => Ok(Outcome { result: Err(output), logs: Vec::new() }),
        ExecutionResult::Halt { reason, .. } => bail!("the EVM halted: {reason:?}"),
    }
}

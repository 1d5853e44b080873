// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Script} from "forge-std/Script.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {IDisputes} from "../contracts/interfaces/IDisputes.sol";
import {IStaking} from "../contracts/interfaces/IStaking.sol";

/// @dev What a network is deployed with: script/config/<chain id>.json. Amounts there are decimal strings, times are seconds.
struct Config {
    uint256 chainId;
    /// Gets what is left of the supply. Zero is the deployer, on test networks only.
    address treasury;
    Governance governance;
    IStaking.Parameters staking;
    uint256 nodeGrace;
    PaymentsConfig payments;
    IDisputes.Parameters disputes;
    Drand drand;
    /// CAI wei that flow to whoever stakes, evenly over the staking parameters' rewardPeriod.
    uint256 stakingRewards;
    /// CAI wei that flow to miners for work, evenly over so many epochs.
    uint256 miningRewards;
    uint256 miningEpochs;
    bool hasFaucet;
    FaucetConfig faucet;
}

struct Governance {
    /// Seconds between an operation's announcement and its execution.
    uint256 delay;
    /// May announce operations and execute them afterwards. None is the deployer, on test networks only.
    address[] proposers;
}

struct PaymentsConfig {
    uint256 thawPeriod;
    uint256 burnFee;
    uint256 noticePeriod;
    uint256 jailTerm;
}

/// @dev Where juries' seeds come from: a drand network; without one, block hashes, on development chains only.
struct Drand {
    /// x1, x0, y1, y0: the order in which drand publishes it.
    uint256[4] publicKey;
    uint256 genesis;
    uint256 period;
    uint256 delay;
}

struct FaucetConfig {
    uint256 dripAmount;
    uint256 cooldown;
    uint256 funding;
}

/// @title Reads and checks a network's config.
abstract contract Configured is Script {
    using stdJson for string;

    /// @notice There is no config for this chain, nor one named by CONFIG.
    error ConfigMissing(string path);
    /// @notice The config is for another chain than the one that the RPC URL leads to.
    error ChainMismatch(uint256 config, uint256 chain);
    /// @notice A drand key is four numbers of 32 bytes in hex, one after the other.
    error InvalidDrandKey(uint256 length);

    /// @notice Reads the config at `path`; it must be of the chain that runs.
    function readConfig(string memory path) public view returns (Config memory c) {
        if (!vm.exists(path)) revert ConfigMissing(path);
        string memory json = vm.readFile(path);
        c.chainId = json.readUint(".chainId");
        if (c.chainId != block.chainid) revert ChainMismatch(c.chainId, block.chainid);
        c.treasury = json.readAddress(".treasury");
        c.governance.delay = json.readUint(".governance.delay");
        c.governance.proposers = json.readAddressArray(".governance.proposers");
        c.staking = _readStaking(json);
        c.nodeGrace = json.readUint(".registry.nodeGrace");
        c.payments = PaymentsConfig({
            thawPeriod: json.readUint(".payments.thawPeriod"),
            burnFee: json.readUint(".payments.burnFee"),
            noticePeriod: json.readUint(".payments.noticePeriod"),
            jailTerm: json.readUint(".payments.jailTerm")
        });
        c.disputes = _readDisputes(json);
        if (json.keyExists(".drand")) c.drand = _readDrand(json);
        c.stakingRewards = json.readUint(".rewards.staking");
        c.miningRewards = json.readUint(".rewards.mining");
        c.miningEpochs = json.readUint(".rewards.miningEpochs");
        c.hasFaucet = json.keyExists(".faucet");
        if (!c.hasFaucet) return c;
        c.faucet = FaucetConfig({
            dripAmount: json.readUint(".faucet.dripAmount"),
            cooldown: json.readUint(".faucet.cooldown"),
            funding: json.readUint(".faucet.funding")
        });
    }

    function _readStaking(string memory json) internal view returns (IStaking.Parameters memory) {
        return IStaking.Parameters({
            epochLength: json.readUint(".staking.epochLength"),
            minMinerStake: json.readUint(".staking.minMinerStake"),
            minCoordinatorStake: json.readUint(".staking.minCoordinatorStake"),
            rewardPeriod: json.readUint(".rewards.stakingPeriod"),
            guardian: json.readAddress(".governance.guardian"),
            guardianExpiry: block.timestamp + json.readUint(".governance.guardianTerm")
        });
    }

    function _readDisputes(string memory json) internal pure returns (IDisputes.Parameters memory) {
        return IDisputes.Parameters({
            bond: uint80(json.readUint(".disputes.bond")),
            juryFee: uint80(json.readUint(".disputes.juryFee")),
            fraction: uint64(json.readUint(".disputes.fraction")),
            jailTerm: uint32(json.readUint(".disputes.jailTerm")),
            maxOfferLife: uint32(json.readUint(".disputes.maxOfferLife")),
            challengeWindow: uint32(json.readUint(".disputes.challengeWindow")),
            answerWindow: uint32(json.readUint(".disputes.answerWindow")),
            seedWindow: uint32(json.readUint(".disputes.seedWindow")),
            commitWindow: uint32(json.readUint(".disputes.commitWindow")),
            revealWindow: uint32(json.readUint(".disputes.revealWindow")),
            vetoWindow: uint32(json.readUint(".disputes.vetoWindow")),
            minJurors: uint16(json.readUint(".disputes.minJurors")),
            rounds: uint8(json.readUint(".disputes.rounds"))
        });
    }

    function _readDrand(string memory json) internal pure returns (Drand memory d) {
        bytes memory key = json.readBytes(".drand.publicKey");
        if (key.length != 128) revert InvalidDrandKey(key.length);
        d.publicKey = abi.decode(key, (uint256[4]));
        d.genesis = json.readUint(".drand.genesis");
        d.period = json.readUint(".drand.period");
        d.delay = json.readUint(".drand.delay");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {console} from "forge-std/Script.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {VmSafe} from "forge-std/Vm.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {CAI} from "../contracts/CAI.sol";
import {Disputes} from "../contracts/Disputes.sol";
import {Faucet} from "../contracts/Faucet.sol";
import {Lens} from "../contracts/Lens.sol";
import {MiningRewards} from "../contracts/MiningRewards.sol";
import {Payments} from "../contracts/Payments.sol";
import {Registry} from "../contracts/Registry.sol";
import {Staking} from "../contracts/Staking.sol";
import {IRandomness} from "../contracts/interfaces/IRandomness.sol";
import {IStaking} from "../contracts/interfaces/IStaking.sol";
import {BlockHashRandomness} from "../contracts/randomness/BlockHashRandomness.sol";
import {DrandRandomness} from "../contracts/randomness/DrandRandomness.sol";
import {Config, Configured, Drand} from "./Config.sol";

/// @title Deploys the protocol and writes its addresses to deployments/<chain id>.json.
/// @notice forge script script/Deploy.s.sol --rpc-url <url> --broadcast --account <keystore>
/// @dev Environment: CONFIG, path of another config than script/config/<chain id>.json; TREASURY, overrides the config's;
/// DEPLOYMENT, path of the file to write. The whole supply is minted to the deployer, which funds the reward streams and the faucet and
/// sends what is left to the treasury. It keeps no right over what it deployed, unless it is a proposer.
contract Deploy is Configured {
    using stdJson for string;

    /// @notice Without a faucet it is no test network: the supply needs a treasury (config or TREASURY).
    error TreasuryMissing(uint256 chain);
    /// @notice Without a faucet it is no test network: the timelock needs proposers (config).
    error ProposersMissing(uint256 chain);
    /// @notice Only the development chain may draw juries by block hashes: the config needs drand's key.
    error DrandKeyMissing(uint256 chain);

    struct Deployment {
        CAI cai;
        TimelockController timelock;
        Staking staking;
        Registry registry;
        Payments payments;
        IRandomness randomness;
        Disputes disputes;
        MiningRewards miningRewards;
        Lens lens;
        Faucet faucet;
    }

    uint256 internal constant DEVELOPMENT_CHAIN = 31337;

    function run() external {
        string memory path = string.concat(vm.projectRoot(), "/script/config/", vm.toString(block.chainid), ".json");
        Config memory config = readConfig(vm.envOr("CONFIG", path));
        config.treasury = vm.envOr("TREASURY", config.treasury);
        uint256 block_ = _blockNumber();

        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        Deployment memory d = deploy(config, deployer);
        vm.stopBroadcast();

        // A dry run deploys nothing, so it must not overwrite the addresses of what is deployed.
        if (vm.isContext(VmSafe.ForgeContext.ScriptDryRun)) return;
        vm.createDir("deployments", true);
        path = string.concat(vm.projectRoot(), "/deployments/", vm.toString(block.chainid), ".json");
        path = vm.envOr("DEPLOYMENT", path);
        vm.writeJson(toJson(d, block_), path);
        console.log("deployment written to", path);
    }

    /// @notice Deploys as `deployer`, which is the sender of the calls that follow.
    function deploy(Config memory c, address deployer) public returns (Deployment memory d) {
        _complete(c, deployer);
        // Contracts name each other, and for ever: where those deployed later will be follows from the deployer's nonce. The constructors
        // of Registry and Payments refuse if they came out elsewhere; of the slasher it is checked below.
        uint256 nonce = vm.getNonce(deployer);
        address[] memory slashers = new address[](1);
        slashers[0] = vm.computeCreateAddress(deployer, nonce + 6);

        d.cai = new CAI(deployer);
        d.timelock =
            new TimelockController(c.governance.delay, c.governance.proposers, c.governance.proposers, address(0));
        d.staking = new Staking(
            d.cai,
            vm.computeCreateAddress(deployer, nonce + 3),
            vm.computeCreateAddress(deployer, nonce + 4),
            address(d.timelock),
            c.staking,
            slashers
        );
        IStaking staking = d.staking;
        d.registry = new Registry(staking, c.nodeGrace);
        d.payments = new Payments(
            d.cai,
            staking,
            d.registry,
            c.payments.thawPeriod,
            c.payments.burnFee,
            c.payments.noticePeriod,
            c.payments.jailTerm,
            address(d.timelock)
        );
        d.randomness = _deployRandomness(c);
        d.disputes = new Disputes(d.cai, staking, d.registry, d.randomness, address(d.timelock), c.disputes);
        require(staking.isSlasher(address(d.disputes)));
        d.miningRewards = new MiningRewards(d.cai, d.payments, staking.currentEpoch() + 1, c.miningEpochs);
        d.lens = new Lens(staking, d.registry);
        if (c.hasFaucet) d.faucet = new Faucet(d.cai, c.faucet.dripAmount, c.faucet.cooldown);
        _distribute(c, d, deployer);
    }

    /// @dev Fills in what a test network's config may leave open, and refuses what another one's must not.
    function _complete(Config memory c, address deployer) internal pure {
        if (c.treasury == address(0)) {
            if (!c.hasFaucet) revert TreasuryMissing(c.chainId);
            c.treasury = deployer;
        }
        if (c.governance.proposers.length == 0) {
            if (!c.hasFaucet) revert ProposersMissing(c.chainId);
            c.governance.proposers = new address[](1);
            c.governance.proposers[0] = deployer;
        }
    }

    function _deployRandomness(Config memory c) internal returns (IRandomness) {
        Drand memory drand = c.drand;
        if (drand.genesis != 0) {
            return new DrandRandomness(drand.publicKey, drand.genesis, drand.period, drand.delay);
        }
        if (c.chainId != DEVELOPMENT_CHAIN) revert DrandKeyMissing(c.chainId);
        return new BlockHashRandomness();
    }

    function _distribute(Config memory c, Deployment memory d, address deployer) internal {
        if (c.stakingRewards != 0) {
            d.cai.approve(address(d.staking), c.stakingRewards);
            d.staking.fundRewards(c.stakingRewards);
        }
        if (c.miningRewards != 0) {
            d.cai.approve(address(d.miningRewards), c.miningRewards);
            d.miningRewards.fund(c.miningRewards);
        }
        if (c.hasFaucet) require(d.cai.transfer(address(d.faucet), c.faucet.funding));
        if (c.treasury != deployer) require(d.cai.transfer(c.treasury, d.cai.balanceOf(deployer)));
    }

    /// @notice The deployment file. `block_` is a block before the first transaction: an indexer begins there.
    function toJson(Deployment memory d, uint256 block_) public returns (string memory) {
        string memory object = "contracts";
        if (address(d.faucet) != address(0)) object.serialize("faucet", address(d.faucet));
        object.serialize("cai", address(d.cai));
        object.serialize("timelock", address(d.timelock));
        object.serialize("staking", address(d.staking));
        object.serialize("registry", address(d.registry));
        object.serialize("payments", address(d.payments));
        object.serialize("randomness", address(d.randomness));
        object.serialize("disputes", address(d.disputes));
        object.serialize("mining_rewards", address(d.miningRewards));
        string memory contracts = object.serialize("lens", address(d.lens));
        object = "deployment";
        object.serialize("chain_id", block.chainid);
        object.serialize("block", block_);
        return object.serialize("contracts", contracts);
    }

    /// @dev The chain's own count: on Orbit chains `block.number` is the parent chain's.
    function _blockNumber() internal returns (uint256 number) {
        bytes memory quantity = vm.rpc("eth_blockNumber", "[]");
        for (uint256 i; i < quantity.length; ++i) {
            number = number << 8 | uint8(quantity[i]);
        }
    }
}

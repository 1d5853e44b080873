// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {VmSafe} from "forge-std/Vm.sol";
import {CAI} from "../contracts/CAI.sol";
import {Faucet} from "../contracts/Faucet.sol";
import {Lens} from "../contracts/Lens.sol";
import {Payments} from "../contracts/Payments.sol";
import {Registry} from "../contracts/Registry.sol";
import {Staking} from "../contracts/Staking.sol";
import {IRegistry} from "../contracts/interfaces/IRegistry.sol";
import {IStaking} from "../contracts/interfaces/IStaking.sol";

/// @title Deploys the protocol and writes its addresses to deployments/<chain id>.json.
/// @notice forge script script/Deploy.s.sol --rpc-url <url> --broadcast --account <keystore>
/// @dev Environment: CONFIG, path of another config than script/config/<chain id>.json; TREASURY, overrides the config's;
/// DEPLOYMENT, path of the file to write.
contract Deploy is Script {
    using stdJson for string;

    /// @notice There is no config for this chain, nor one named by CONFIG.
    error ConfigMissing(string path);
    /// @notice The config is for another chain than the one that the RPC URL leads to.
    error ChainMismatch(uint256 config, uint256 chain);
    /// @notice Without a faucet it is no test network: the supply needs a treasury (config or TREASURY).
    error TreasuryMissing(uint256 chain);
    /// @notice The faucet is funded by the deployer out of what the treasury got, so they must be the same.
    error FaucetNotFundable(address treasury, address deployer);

    struct Config {
        uint256 chainId;
        /// Zero is the deployer.
        address treasury;
        uint256 epochLength;
        uint256 minMinerStake;
        uint256 minCoordinatorStake;
        address[] slashers;
        uint256 nodeGrace;
        uint256 thawPeriod;
        uint256 burnFee;
        bool hasFaucet;
        uint256 dripAmount;
        uint256 cooldown;
        uint256 faucetFunding;
    }

    struct Deployment {
        CAI cai;
        Faucet faucet;
        Staking staking;
        Registry registry;
        Payments payments;
        Lens lens;
    }

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

    /// @notice Reads and checks a config file. Amounts in it are decimal strings.
    function readConfig(string memory path) public view returns (Config memory c) {
        if (!vm.exists(path)) revert ConfigMissing(path);
        string memory json = vm.readFile(path);
        c.chainId = json.readUint(".chainId");
        if (c.chainId != block.chainid) revert ChainMismatch(c.chainId, block.chainid);
        c.treasury = json.readAddress(".treasury");
        c.epochLength = json.readUint(".staking.epochLength");
        c.minMinerStake = json.readUint(".staking.minMinerStake");
        c.minCoordinatorStake = json.readUint(".staking.minCoordinatorStake");
        c.slashers = json.readAddressArray(".staking.slashers");
        c.nodeGrace = json.readUint(".registry.nodeGrace");
        c.thawPeriod = json.readUint(".payments.thawPeriod");
        c.burnFee = json.readUint(".payments.burnFee");
        c.hasFaucet = json.keyExists(".faucet");
        if (!c.hasFaucet) return c;
        c.dripAmount = json.readUint(".faucet.dripAmount");
        c.cooldown = json.readUint(".faucet.cooldown");
        c.faucetFunding = json.readUint(".faucet.funding");
    }

    /// @notice Deploys as `deployer`, which is the sender of the calls that follow.
    function deploy(Config memory c, address deployer) public returns (Deployment memory d) {
        if (c.treasury == address(0)) {
            if (!c.hasFaucet) revert TreasuryMissing(c.chainId);
            c.treasury = deployer;
        }
        if (c.hasFaucet && c.treasury != deployer) revert FaucetNotFundable(c.treasury, deployer);

        d.cai = new CAI(c.treasury);
        // Staking and Registry name each other, and both for ever: the second's address follows from the deployer's nonce.
        // The Registry's constructor refuses if it came out otherwise.
        address registry = vm.computeCreateAddress(deployer, vm.getNonce(deployer) + 1);
        d.staking = new Staking(d.cai, registry, c.epochLength, c.minMinerStake, c.minCoordinatorStake, c.slashers);
        d.registry = new Registry(IStaking(d.staking), c.nodeGrace);
        d.payments = new Payments(d.cai, IRegistry(d.registry), c.thawPeriod, c.burnFee);
        d.lens = new Lens(IStaking(d.staking), IRegistry(d.registry));
        if (c.hasFaucet) {
            d.faucet = new Faucet(d.cai, c.dripAmount, c.cooldown);
            if (c.faucetFunding != 0) require(d.cai.transfer(address(d.faucet), c.faucetFunding));
        }
    }

    /// @notice The deployment file. `block_` is a block before the first transaction: an indexer begins there.
    function toJson(Deployment memory d, uint256 block_) public returns (string memory) {
        string memory object = "contracts";
        if (address(d.faucet) != address(0)) object.serialize("faucet", address(d.faucet));
        object.serialize("cai", address(d.cai));
        object.serialize("staking", address(d.staking));
        object.serialize("registry", address(d.registry));
        object.serialize("payments", address(d.payments));
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

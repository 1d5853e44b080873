// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test, Vm} from "forge-std/Test.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IFaucet} from "../../contracts/interfaces/IFaucet.sol";
import {ILens} from "../../contracts/interfaces/ILens.sol";
import {IPayments} from "../../contracts/interfaces/IPayments.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {NodeConsent, Role, Voucher} from "../../contracts/interfaces/Messages.sol";
import {MessageHashes} from "../../contracts/libraries/MessageHashes.sol";

interface ICAI is IERC20, IERC20Permit {
    function burn(uint256 amount) external;
    function INITIAL_SUPPLY() external view returns (uint256);
}

/// @dev The whole protocol, deployed, with a few accounts. The test contract is the treasury.
abstract contract BaseTest is Test {
    using MessageHashes for NodeConsent;
    using MessageHashes for Voucher;

    uint256 internal constant EPOCH = 1 days;
    uint256 internal constant MIN_MINER = 20_000e18;
    uint256 internal constant MIN_COORDINATOR = 2_000_000e18;
    uint256 internal constant GRACE = 1 days;
    uint256 internal constant THAW = 1 days;
    uint256 internal constant BURN_FEE = 0.02e18;
    uint256 internal constant NOTICE = EPOCH;
    uint256 internal constant JAIL = 3 days;
    uint256 internal constant DRIP = 1000e18;
    uint256 internal constant COOLDOWN = 1 days;
    uint256 internal constant REWARD_PERIOD = 1460 days;
    uint256 internal constant GUARDIAN_TERM = 365 days;
    /// First price: one wei buys a million shares.
    uint256 internal constant FIRST = 1e6;

    ICAI internal cai;
    IStaking internal staking;
    IRegistry internal registry;
    IPayments internal payments;
    ILens internal lens;
    IFaucet internal faucet;

    address internal timelock = makeAddr("timelock");
    address internal guardian = makeAddr("guardian");
    address internal slasher = makeAddr("slasher");
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal carol = makeAddr("carol");
    /// Operators, their nodes and the nodes' keys.
    address internal miner = makeAddr("miner");
    address internal coordinator = makeAddr("coordinator");
    address internal minerNode;
    uint256 internal minerKey;
    address internal coordinatorNode;
    uint256 internal coordinatorKey;

    function setUp() public virtual {
        // The first second of an epoch.
        vm.warp(20_000 * EPOCH);
        (minerNode, minerKey) = makeAddrAndKey("miner node");
        (coordinatorNode, coordinatorKey) = makeAddrAndKey("coordinator node");

        cai = ICAI(_deploy("CAI", abi.encode(address(this))));
        address[] memory slashers = new address[](1);
        slashers[0] = slasher;
        uint256 nonce = vm.getNonce(address(this));
        staking = IStaking(
            _deployStaking(
                vm.computeCreateAddress(address(this), nonce + 1),
                vm.computeCreateAddress(address(this), nonce + 2),
                _parameters(),
                slashers
            )
        );
        registry = IRegistry(_deploy("Registry", abi.encode(staking, GRACE)));
        payments =
            IPayments(_deploy("Payments", abi.encode(cai, staking, registry, THAW, BURN_FEE, NOTICE, JAIL, timelock)));
        lens = ILens(_deploy("Lens", abi.encode(staking, registry)));
        faucet = IFaucet(_deploy("Faucet", abi.encode(cai, DRIP, COOLDOWN)));
    }

    function _parameters() internal view returns (IStaking.Parameters memory) {
        return IStaking.Parameters({
            epochLength: EPOCH,
            minMinerStake: MIN_MINER,
            minCoordinatorStake: MIN_COORDINATOR,
            rewardPeriod: REWARD_PERIOD,
            guardian: guardian,
            guardianExpiry: block.timestamp + GUARDIAN_TERM
        });
    }

    function _deployStaking(
        address registry_,
        address payments_,
        IStaking.Parameters memory parameters,
        address[] memory slashers
    ) internal returns (address) {
        return _deploy("Staking", abi.encode(cai, registry_, payments_, timelock, parameters, slashers));
    }

    /// @dev The artefact of contracts/<name>.sol, so what is deployed on a real chain; bubbles up what its constructor reverts with.
    function _deploy(string memory name, bytes memory args) internal returns (address deployed) {
        bytes memory code = bytes.concat(vm.getCode(string.concat(name, ".sol:", name)), args);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
            if iszero(deployed) {
                returndatacopy(mload(0x40), 0, returndatasize())
                revert(mload(0x40), returndatasize())
            }
        }
    }

    /// @dev For vm.expectRevert, which wants a call.
    function deploy(string memory name, bytes memory args) external returns (address) {
        return _deploy(name, args);
    }

    // --------------------------------------------------------------------------------------------------------- what people do

    /// @dev Gives `owner` the assets and lets it delegate them.
    function _delegate(address operator, address owner, uint256 assets) internal returns (uint256 shares) {
        _give(owner, address(staking), assets);
        vm.prank(owner);
        return staking.delegate(operator, assets, owner);
    }

    function _undelegate(address operator, address owner, uint256 shares) internal returns (uint256 assets) {
        vm.prank(owner);
        return staking.undelegate(operator, shares);
    }

    function _cancel(address operator, address owner, uint256 epoch) internal returns (uint256 shares) {
        vm.prank(owner);
        return staking.cancelUndelegation(operator, epoch);
    }

    function _slash(address operator, uint256 fraction) internal returns (uint256 slashed) {
        (slashed,) = _slash(operator, fraction, address(0), 0);
    }

    /// @dev For a dispute that opens now.
    function _slash(address operator, uint256 fraction, address recipient, uint256 reward)
        internal
        returns (uint256 slashed, uint256 paid)
    {
        uint256 epoch = staking.currentEpoch();
        vm.prank(slasher);
        return staking.slash(operator, fraction, epoch, 0, recipient, reward);
    }

    function _hold(address operator, uint256 fraction) internal returns (uint256 epoch) {
        vm.prank(slasher);
        return staking.hold(operator, fraction);
    }

    function _release(address operator, uint256 fraction, uint256 epoch) internal {
        vm.prank(slasher);
        staking.release(operator, fraction, epoch);
    }

    function _fundRewards(uint256 amount) internal {
        cai.approve(address(staking), amount);
        staking.fundRewards(amount);
    }

    /// @dev What the reward stream takes at least: a wei a second, and not less than keeps what flows flowing as fast.
    function _leastFunds() internal view returns (uint256) {
        (uint256 rate, uint256 endsAt) = staking.rewardStream();
        if (endsAt <= block.timestamp) return REWARD_PERIOD;
        uint256 left = endsAt - block.timestamp;
        if (left * 10 >= REWARD_PERIOD || rate == 0) return REWARD_PERIOD;
        return rate * (REWARD_PERIOD - left) > REWARD_PERIOD ? rate * (REWARD_PERIOD - left) : REWARD_PERIOD;
    }

    function _registerMiner(uint256 own) internal {
        _delegate(miner, miner, own);
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.prank(miner);
        registry.register(Role.Miner, minerNode, "", "a miner", consent);
    }

    function _registerCoordinator(uint256 own) internal {
        _delegate(coordinator, coordinator, own);
        bytes memory consent = _consent(coordinator, coordinatorNode, coordinatorKey);
        vm.prank(coordinator);
        registry.register(Role.Coordinator, coordinatorNode, "https://c.example", "a coordinator", consent);
    }

    function _fund(address payer, address payee, uint256 amount) internal {
        _give(payer, address(payments), amount);
        vm.prank(payer);
        payments.fund(payer, payee, amount);
    }

    /// @dev Assets for `owner`, approved to `spender`.
    function _give(address owner, address spender, uint256 assets) internal {
        cai.transfer(owner, assets);
        vm.prank(owner);
        cai.approve(spender, assets);
    }

    function _nextEpoch(uint256 epochs) internal {
        vm.warp((staking.currentEpoch() + epochs) * EPOCH);
    }

    // -------------------------------------------------------------------------------------------------------------- signatures

    function _sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, MessageHashes.digest(registry.domainSeparator(), structHash));
        return abi.encodePacked(r, s, v);
    }

    function _consent(address operator, address node, uint256 key) internal view returns (bytes memory) {
        return _sign(key, NodeConsent({operator: operator, node: node}).hash());
    }

    function _voucher(uint256 key, address payer, address payee, uint256 cumulative)
        internal
        view
        returns (bytes memory)
    {
        return _sign(key, Voucher({payer: payer, payee: payee, cumulative: cumulative}).hash());
    }

    function _digest(address payer, address payee, uint256 cumulative) internal view returns (bytes32) {
        bytes32 structHash = Voucher({payer: payer, payee: payee, cumulative: cumulative}).hash();
        return MessageHashes.digest(registry.domainSeparator(), structHash);
    }

    // -------------------------------------------------------------------------------------------------------------- what holds

    /// @dev Nothing is in the contract but this operator's pool and the buckets of the last epochs.
    function _assertSolvent(address operator) internal view {
        (uint256 due,) = staking.pool(operator);
        uint256 epoch = staking.currentEpoch();
        for (uint256 e = epoch - 10; e <= epoch; ++e) {
            (uint256 assets,) = staking.bucket(operator, e);
            due += assets;
        }
        assertEq(cai.balanceOf(address(staking)), due, "held = pool + buckets");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMiningRewards} from "../../contracts/interfaces/IMiningRewards.sol";
import {BaseTest, ICAI, IPayments, IRegistry, IStaking, NodeConsent, Role} from "./BaseTest.sol";

/// @dev A coordinator with a voter, a rival coordinator, and two miners that have a quarter and three quarters of the miners' weight;
/// all registered so long ago that their weights count.
abstract contract PaymentsTest is BaseTest {
    uint256 internal constant OWN = 3_000_000e18;
    uint256 internal constant VOTES = 1_000_000e18;
    uint256 internal constant BACKING = 1_000_000e18;
    /// Of `miner` in the miners' weight.
    uint256 internal constant SHARE = 0.25e18;

    address internal rival = makeAddr("rival");
    address internal other = makeAddr("other miner");

    function setUp() public virtual override {
        super.setUp();
        _registerCoordinator(OWN);
        _delegate(coordinator, alice, VOTES);
        _register(rival, Role.Coordinator, 12_000_000e18);
        _registerMiner(30_000e18);
        _register(other, Role.Miner, 90_000e18);
        _nextEpoch(2);
    }

    /// @dev Its node is the operator itself.
    function _register(address operator, Role role, uint256 own) internal {
        _delegate(operator, operator, own);
        vm.prank(operator);
        registry.register(role, operator, role == Role.Coordinator ? "https://x.example" : "", "", "");
    }

    function _replaceNode() internal returns (uint256 key) {
        address node;
        (node, key) = makeAddrAndKey("new node");
        bytes memory consent = _consent(coordinator, node, key);
        vm.prank(coordinator);
        registry.setNode(node, consent);
    }

    function _retire(address operator) internal {
        vm.prank(operator);
        registry.retire();
    }

    function _setBacking(uint256 amount) internal {
        vm.prank(coordinator);
        payments.setBacking(amount);
    }

    function _sig(address payee, uint256 cumulative) internal view returns (bytes memory) {
        return _voucher(coordinatorKey, coordinator, payee, cumulative);
    }

    function _collect(address payee, uint256 cumulative) internal returns (uint256) {
        return payments.collect(coordinator, payee, cumulative, _sig(payee, cumulative));
    }

    function _notify(address payee, uint256 cumulative) internal {
        payments.notify(coordinator, payee, cumulative, _sig(payee, cumulative));
    }

    function _enforce(address payee, uint256 cumulative) internal returns (uint256) {
        return payments.enforce(coordinator, payee, cumulative);
    }

    /// @dev Notice, wait, enforce.
    function _exact(address payee, uint256 cumulative) internal returns (uint256) {
        _notify(payee, cumulative);
        vm.warp(block.timestamp + NOTICE);
        return _enforce(payee, cumulative);
    }

    function _own() internal view returns (uint256) {
        return staking.assetsOf(coordinator, coordinator);
    }

    function _isJailed() internal view returns (bool jailed) {
        (jailed,) = staking.jailStatus(coordinator);
    }

    function _collected(address payee) internal view returns (uint256) {
        return payments.channel(coordinator, payee).collected;
    }

    function _deployMining(uint256 firstEpoch, uint256 epochs) internal returns (IMiningRewards) {
        return IMiningRewards(_deploy("MiningRewards", abi.encode(cai, payments, firstEpoch, epochs)));
    }
}

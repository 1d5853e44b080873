// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, ILens, Role} from "../utils/BaseTest.sol";

contract LensTest is BaseTest {
    function test_network() public {
        _registerMiner(30_000e18);
        _registerCoordinator(3_000_000e18);
        ILens.NetworkView memory n = lens.network();
        assertEq(n.epoch, 20_000);
        assertEq(n.epochLength, EPOCH);
        assertEq(n.minerCount, 1);
        assertEq(n.coordinatorCount, 1);
        assertEq(n.minerWeight, 30_000e18);
        assertEq(n.coordinatorWeight, 3_000_000e18);
        assertEq(n.minMinerStake, MIN_MINER);
        assertEq(n.minCoordinatorStake, MIN_COORDINATOR);
        assertEq(n.domainSeparator, registry.domainSeparator());
    }

    function test_operator() public {
        _registerCoordinator(3_000_000e18);
        _delegate(coordinator, alice, 1000e18);
        ILens.OperatorView memory v = lens.operator(coordinator);
        assertEq(v.operator, coordinator);
        assertEq(uint8(v.role), uint8(Role.Coordinator));
        assertTrue(v.active);
        assertFalse(v.tombstoned);
        assertEq(v.node, coordinatorNode);
        assertEq(v.registeredAt, block.timestamp);
        assertEq(v.endpoint, "https://c.example");
        assertEq(v.info, "a coordinator");
        assertEq(v.poolAssets, 3_001_000e18);
        assertEq(v.poolShares, 3_001_000e18 * FIRST);
        assertEq(v.ownAssets, 3_000_000e18);
        assertEq(v.weight, 3_001_000e18);

        vm.prank(coordinator);
        registry.retire();
        for (uint256 i; i < 7; ++i) {
            _slash(coordinator, 0.5e18);
            _nextEpoch(1);
        }
        v = lens.operator(coordinator);
        assertFalse(v.active);
        assertTrue(v.tombstoned);
        assertEq(v.weight, 0);
    }

    function test_ofAStranger() public view {
        ILens.OperatorView memory v = lens.operator(carol);
        assertEq(v.operator, carol);
        assertEq(uint8(v.role), uint8(Role.None));
        assertFalse(v.active);
        assertEq(v.node, address(0));
        assertEq(v.poolAssets, 0);
    }

    function test_pages() public {
        address[] memory all = new address[](3);
        for (uint256 i; i < 3; ++i) {
            all[i] = makeAddr(vm.toString(i));
            _delegate(all[i], all[i], 20_001e18 + i);
            vm.prank(all[i]);
            registry.register(Role.Miner, all[i], "", vm.toString(i), "");
        }
        ILens.OperatorView[] memory page = lens.operators(Role.Miner, 1, 10);
        assertEq(page.length, 2);
        assertEq(page[0].operator, all[1]);
        assertEq(page[0].weight, 20_001e18 + 1);
        assertEq(page[1].operator, all[2]);
        assertEq(page[1].info, "2");
        assertEq(lens.operators(Role.Miner, 3, 10).length, 0);
        assertEq(lens.operators(Role.Coordinator, 0, 10).length, 0);
    }

    function test_positions() public {
        _delegate(miner, alice, 100e18);
        _delegate(coordinator, alice, 7e18);
        uint256 epoch = staking.currentEpoch();
        _undelegate(miner, alice, 10e18 * FIRST);
        _nextEpoch(2);
        _undelegate(miner, alice, 20e18 * FIRST);
        _nextEpoch(1);
        _undelegate(miner, alice, 30e18 * FIRST);

        address[] memory operators = new address[](3);
        (operators[0], operators[1], operators[2]) = (miner, coordinator, carol);
        ILens.PositionView[] memory views = lens.positions(alice, operators, 10);
        assertEq(views.length, 3);
        assertEq(views[0].operator, miner);
        assertEq(views[0].assets, 40e18);
        assertEq(views[0].shares, 40e18 * FIRST);
        assertEq(views[0].withdrawable, 10e18);
        assertEq(views[0].maturing, 50e18);
        assertEq(views[0].epochs.length, 3);
        assertEq(views[0].epochs[0], epoch);
        assertEq(views[0].epochs[1], epoch + 2);
        assertEq(views[0].epochs[2], epoch + 3);
        assertEq(views[1].assets, 7e18);
        assertEq(views[1].epochs.length, 0);
        assertEq(views[2].shares, 0);

        // The last epochs asked for, that of now included.
        assertEq(lens.positions(alice, operators, 0)[0].epochs.length, 0);
        assertEq(lens.positions(alice, operators, 1)[0].maturing, 30e18);
        assertEq(lens.positions(alice, operators, 3)[0].epochs.length, 2);
        assertEq(lens.positions(alice, operators, 4)[0].withdrawable, 10e18);
    }

    function test_positionsInAYoungChain() public {
        vm.warp(EPOCH);
        _delegate(miner, alice, 100e18);
        _undelegate(miner, alice, 10e18 * FIRST);
        address[] memory operators = new address[](1);
        operators[0] = miner;
        assertEq(lens.positions(alice, operators, type(uint256).max)[0].maturing, 10e18);
        assertEq(lens.positions(alice, operators, 2)[0].epochs[0], 1);
    }
}

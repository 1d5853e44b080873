// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest, IRegistry, IStaking, Role} from "../utils/BaseTest.sol";

contract RegisterTest is BaseTest {
    string internal constant URL = "https://c.example";

    function _register(address operator, Role role, address node, string memory endpoint, bytes memory consent)
        internal
    {
        vm.prank(operator);
        registry.register(role, node, endpoint, "info", consent);
    }

    function test_registersAMiner() public {
        _delegate(miner, miner, 20_001e18);
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.expectEmit(address(staking));
        emit IStaking.RoleSet(miner, Role.Miner, true, 20_001e18);
        vm.expectEmit(address(registry));
        emit IRegistry.Registered(miner, Role.Miner, minerNode, "", "info", 20_001e18);
        _register(miner, Role.Miner, minerNode, "", consent);

        IRegistry.Registration memory r = registry.registration(miner);
        assertEq(uint8(r.role), uint8(Role.Miner));
        assertTrue(r.active);
        assertEq(r.registeredAt, block.timestamp);
        assertEq(r.node, minerNode);
        assertEq(r.endpoint, "");
        assertEq(r.info, "info");
        assertEq(registry.operatorOf(minerNode), miner);
        assertEq(registry.nodeOf(miner), minerNode);
        assertEq(registry.retiredAt(minerNode), 0);
        assertEq(registry.operatorCount(Role.Miner), 1);
        assertEq(registry.operatorCount(Role.Coordinator), 0);
        assertTrue(registry.isLiable(miner, minerNode, type(uint256).max));
    }

    function test_registersACoordinator() public {
        _registerCoordinator(2_000_001e18);
        assertEq(registry.registration(coordinator).endpoint, "https://c.example");
        assertEq(staking.totalWeight(Role.Coordinator), 2_000_001e18);
    }

    function test_anOperatorMayBeItsOwnNode() public {
        _delegate(miner, miner, 20_001e18);
        _register(miner, Role.Miner, miner, "", "");
        assertEq(registry.operatorOf(miner), miner);
    }

    function test_revertsOnNoRole() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidRole.selector, Role.None));
        _register(miner, Role.None, minerNode, "", "");
    }

    function test_revertsUnlessOwnStakeIsMoreThanTheMinimum() public {
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InsufficientStake.selector, miner, 0, 20_000e18));
        _register(miner, Role.Miner, minerNode, "", consent);

        // Exactly the minimum is not enough, and votes of others do not count.
        _delegate(miner, miner, 20_000e18);
        _delegate(miner, alice, 1_000_000e18);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InsufficientStake.selector, miner, 20_000e18, 20_000e18));
        _register(miner, Role.Miner, minerNode, "", consent);

        vm.expectRevert(abi.encodeWithSelector(IRegistry.InsufficientStake.selector, miner, 20_000e18, 2_000_000e18));
        _register(miner, Role.Coordinator, minerNode, URL, consent);

        _delegate(miner, miner, 1);
        _register(miner, Role.Miner, minerNode, "", consent);
    }

    function test_revertsTwice() public {
        _registerMiner(3_000_000e18);
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyRegistered.selector, miner, Role.Miner));
        _register(miner, Role.Miner, minerNode, "", consent);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyRegistered.selector, miner, Role.Miner));
        _register(miner, Role.Coordinator, minerNode, URL, consent);
    }

    function test_oneRoleForEver() public {
        _registerMiner(3_000_000e18);
        vm.prank(miner);
        registry.retire();
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyRegistered.selector, miner, Role.Miner));
        _register(miner, Role.Coordinator, minerNode, URL, consent);
    }

    function test_aRetiredOperatorComesBack() public {
        _registerMiner(30_000e18);
        uint64 registeredAt = uint64(block.timestamp);
        vm.prank(miner);
        registry.retire();
        _nextEpoch(3);
        // With another node: the old one begins its grace now.
        bytes memory consent = _consent(miner, coordinatorNode, coordinatorKey);
        vm.expectEmit(address(registry));
        emit IRegistry.NodeSet(miner, coordinatorNode, minerNode, block.timestamp);
        vm.expectEmit(address(registry));
        emit IRegistry.Registered(miner, Role.Miner, coordinatorNode, "", "info", 30_000e18);
        _register(miner, Role.Miner, coordinatorNode, "", consent);
        assertEq(registry.operatorCount(Role.Miner), 1, "listed once");
        assertEq(registry.registration(miner).registeredAt, registeredAt, "its first registration");
        assertEq(registry.retiredAt(minerNode), block.timestamp);
        assertEq(staking.weightOf(miner), 30_000e18);
    }

    function test_aRetiredOperatorComesBackWithTheSameNode() public {
        _registerMiner(30_000e18);
        vm.prank(miner);
        registry.retire();
        bytes memory consent = _consent(miner, minerNode, minerKey);
        _register(miner, Role.Miner, minerNode, "", consent);
        assertEq(registry.retiredAt(minerNode), 0);
        assertTrue(registry.isLiable(miner, minerNode, type(uint256).max));
    }

    function test_revertsWithoutTheNodesConsent() public {
        _delegate(miner, miner, 30_000e18);
        bytes[5] memory bad = [
            bytes(""),
            hex"1234",
            // Another key's.
            _consent(miner, minerNode, coordinatorKey),
            // To another operator.
            _consent(alice, minerNode, minerKey),
            // Of another message.
            _voucher(minerKey, miner, minerNode, 0)
        ];
        for (uint256 i; i < bad.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidConsent.selector, miner, minerNode));
            _register(miner, Role.Miner, minerNode, "", bad[i]);
        }
    }

    function test_consentIsOfThisChain() public {
        _delegate(miner, miner, 30_000e18);
        bytes32 before = registry.domainSeparator();
        bytes memory consent = _consent(miner, minerNode, minerKey);
        vm.chainId(77);
        assertNotEq(registry.domainSeparator(), before);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidConsent.selector, miner, minerNode));
        _register(miner, Role.Miner, minerNode, "", consent);
    }

    function test_aNodeBelongsToOneOperatorForEver() public {
        _registerMiner(30_000e18);
        _delegate(alice, alice, 30_000e18);
        bytes memory consent = _consent(alice, minerNode, minerKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeTaken.selector, minerNode, miner));
        _register(alice, Role.Miner, minerNode, "", consent);

        // Even after it was replaced, and for the node itself as an operator.
        bytes memory other = _consent(miner, coordinatorNode, coordinatorKey);
        vm.prank(miner);
        registry.setNode(coordinatorNode, other);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeTaken.selector, minerNode, miner));
        _register(alice, Role.Miner, minerNode, "", consent);
        _delegate(minerNode, minerNode, 30_000e18);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NodeTaken.selector, minerNode, miner));
        _register(minerNode, Role.Miner, minerNode, "", "");
    }

    function test_revertsOnTheZeroNode() public {
        _delegate(miner, miner, 30_000e18);
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        _register(miner, Role.Miner, address(0), "", "");
    }

    function test_limitsTexts() public {
        _delegate(coordinator, coordinator, 3_000_000e18);
        bytes memory consent = _consent(coordinator, coordinatorNode, coordinatorKey);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidText.selector, "endpoint", 0, 256));
        _register(coordinator, Role.Coordinator, coordinatorNode, "", consent);

        string memory long = string(new bytes(257));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidText.selector, "endpoint", 257, 256));
        _register(coordinator, Role.Coordinator, coordinatorNode, long, consent);

        vm.startPrank(coordinator);
        long = string(new bytes(2049));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidText.selector, "info", 2049, 2048));
        registry.register(Role.Coordinator, coordinatorNode, URL, long, consent);
        registry.register(Role.Coordinator, coordinatorNode, string(new bytes(256)), string(new bytes(2048)), consent);
    }

    function test_pagesOperatorsInTheOrderOfRegistration() public {
        address[] memory all = new address[](5);
        for (uint256 i; i < 5; ++i) {
            all[i] = makeAddr(vm.toString(i));
            _delegate(all[i], all[i], 20_001e18);
            _register(all[i], Role.Miner, all[i], "", "");
        }
        assertEq(registry.operatorCount(Role.Miner), 5);
        assertEq(registry.operators(Role.Miner, 0, 100), all);
        assertEq(registry.operators(Role.Miner, 0, type(uint256).max), all);
        address[] memory page = registry.operators(Role.Miner, 3, 1);
        assertEq(page.length, 1);
        assertEq(page[0], all[3]);
        assertEq(registry.operators(Role.Miner, 2, type(uint256).max).length, 3);
        assertEq(registry.operators(Role.Miner, 5, 1).length, 0);
        assertEq(registry.operators(Role.Miner, type(uint256).max, 1).length, 0);
        assertEq(registry.operators(Role.Coordinator, 0, 1).length, 0);
    }
}

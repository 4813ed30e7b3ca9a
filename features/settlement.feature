@smoke @settlement @money @blocker
Feature: Synthetic stream is created and settled
  A settlement is done when the ledger shows the money, not when a service says so.

  Background:
    Given the service is ready
    And it works on a test network
    And the synthetic user is signed in
    And a recipient with a funded test account

  Scenario: A settled stream pays the recipient on the ledger
    Given the user has ordered a stream to the recipient, asking for it twice
    When the user starts the stream
    Then the stream runs
    When the user settles the stream
    Then one stream came of it
    And the recipient is paid the exact amount by the expected contract during this run
    And the recipient is paid exactly once
    And receipt, record and ledger agree

  Scenario: A settlement that was refused too early can be made later
    Given the user has ordered a stream to the recipient
    When the user settles the draft
    Then the settlement is refused and changes nothing
    When the user starts the stream
    Then the stream runs
    When the user settles the stream with the key that was refused
    Then the refusal was of the draft only
    When the stream is settled, with a new key where that one is used up
    Then the recipient is paid the exact amount by the expected contract during this run

  Scenario: A settlement that is repeated pays nobody again
    Given the user has ordered a stream to the recipient
    And the user has started the stream
    And the user has settled the stream
    When the settlement is repeated with its own key
    And the stream is settled again with a new key
    Then the repeated answer is the first receipt
    And a new key cannot settle the stream again
    And the recipient is paid the exact amount by the expected contract during this run
    And a ledger later the recipient is still paid exactly once

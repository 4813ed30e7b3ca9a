@smoke @doors @blocker
Feature: Doors stay shut
  Streams, keys and administration are behind doors, and nobody gets through one that is not theirs.

  Background:
    Given the service is ready

  Scenario: The published keys hold no secret
    When the published keys are looked up
    Then nothing secret is among them

  Scenario Outline: The administrators' pages stay shut for <caller>
    Given the synthetic user is signed in
    When <caller> asks for the administrators' pages
    Then none of them opens
    And no administrator is named to them

    Examples: People who administer nothing
      | caller                                    |
      | a stranger                                |
      | a stranger who claims to be administrator |
      | the synthetic user                        |

  Scenario Outline: Nobody signs in with <proof>
    Given the synthetic user is signed in
    When somebody signs in as them with <proof>
    Then they are not let in

    Examples: Proofs that are none
      | proof                        |
      | somebody else's signature    |
      | a challenge nobody was given |

    @wallet
    Examples: Proofs that are none any more
      | proof                            |
      | a challenge that was used before |

  @writes
  Scenario Outline: A caller with <credential> creates and moves nothing
    Given it works on a test network
    And the synthetic user is signed in
    And they have a stream that was never started
    When a caller with <credential> orders a stream, and settles and stops theirs
    Then every attempt is refused
    And their stream is as it was

    Examples: Credentials that must not move anything
      | credential       |
      | no credential    |
      | junk for a token |
      | an expired token |

  @writes @second-user
  Scenario: Another user does nothing with somebody's stream
    Given it works on a test network
    And the synthetic user is signed in
    And they have a stream that was never started
    When a second synthetic user starts, changes, settles, stops and deletes it
    Then every attempt is refused
    And their stream is as it was

  @writes
  Scenario: Only the ledger says that a stream is settled
    Given it works on a test network
    And the synthetic user is signed in
    And they have a stream that was never started
    When they order a stream and change theirs as if both were settled
    Then neither is settled or somebody else's

  Scenario: A stream does not open for strangers who know its name
    Given the synthetic user is signed in
    And they have at least 1 stream
    When strangers open it by its name
    Then every attempt is refused
    And they are shown no stream

  Scenario: What a user sees is theirs to keep
    Given the synthetic user is signed in
    And they have at least 1 stream
    When they look at their list and at one of their streams
    Then nobody on the way may keep a copy

  @writes
  Scenario: Mistakes are answered in plain words
    Given the synthetic user is signed in
    When they and a stranger make mistakes
    Then no answer tells a secret
    And no answer shows the service's workings

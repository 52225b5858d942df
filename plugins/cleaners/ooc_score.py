r"""How much a few words sound like the writer and not like the story: a sum of weights, nothing learned.

FORMS says what the outside of a candidate is worth: how it is set apart from the post. WORDS, PHRASES and SIGNS say what its words are worth: each feature counts once,
and half again if it occurs twice or more. CONTEXT compares it with the rest of the post. An aside is what reaches the threshold. The weights
were set by hand on `bench/labels/ooc.json` and `roleplay_posts.jsonl` (the half kept aside only after it had been scored), on asides and narrators made up for it and on five novels in which nothing may go, and are round on purpose: they are to be read and argued with.

Words between quotation marks and asterisks are somebody's in the story, so no feature sees them. Rejected: a trained classifier, for want of labels
(60 asides) and because nobody could say why it cut a line; a language model, for its price per page.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

THRESHOLD = 3.0

FORMS = {
    "marked": 9.0,  # says it is out of character: "OOC:", "(ooc …)", "[OT]", "Mod note:", "CW:"
    "double": 4.5,  # ((…)) on lines of its own
    "double-inside": 3.0,  # the same between two sentences
    "double-square": 1.5,  # [[…]], {{…}}, *((…))* on lines of their own: telepathy, thoughts and machines speak so too
    "double-square-inside": 1.0,
    "slashes": 2.0,  # "// …", ">> … <<" on a line of its own
    "slashes-inside": 0.5,  # behind a sentence
    "footer": 2.0,  # "Tag: …", "Word count: …", "Notes: …" on a line of its own
    "edit": 1.0,  # "Edit: …"
    "bracket": 1.0,  # (…), […], {…} on lines of their own
    "bracket-inside": -0.5,  # between two sentences
    "wrapped": 1.0,  # "~ … ~", "- … -", "<< … >>", the first or last line of a post
    "last": 0.0,  # the last lines of a post, unmarked
    "first": -0.5,
}

_DAY = r"(?:mon|tues?|wednes|thu(?:rs)?|fri|sat(?:ur)?|sun)day|tues|fri|sat|tonight|tomorrow|tmrw|(?:the|this) weekend|next week"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday tues fri tonight tomorrow tmrw tonite"

WORDS: tuple[tuple[str, float, str], ...] = (
    ("ooc", 3.0, "ooc"),
    ("thread", 1.5, ("thread threads thread's post posts posting replies signup signups npc npcs plotting canon headcanon rp rping roleplay roleplaying forum "
     "forums mod mods topic upvote comment gm dm dms pm discord timeline retcon godmod godmodding powerplay metagaming cliffhanger starter app "
     "faceclaim faceclaims headcanons godmode diceless cameo plotline backstory oneshot au collab subforum pinned lurker lurking lurk prompt")),
    ("when", 0.5, _DAYS),
    ("net", 2.0, "lol lool loool lolol lmao lmaoo lmaooo lmfao rofl omg omfg brb afk bbl bbiab btw tbh fyi idk imo imho iirc pls plz thx xd gtg g2g ttyl haha hahaha hahahaha hehe heh tldr irl wip nvm ngl ikr smh lmk mia nbd jk rn ily ty tysm np omw wb woot fml welp hai xoxo"),
    ("talk", 1.0, "gonna wanna gotta kinda sorta dunno gimme lemme cuz coz bc tho ur u ppl pic pics yep yup yay nope woo woohoo yikes aww awww eek oof alrighty heya hiya pleeease pleaseee sooo soooo asap etc"),
    ("rules", 1.0, "dice initiative"),
    ("bare", 0.5, "thats lets didnt dont cant wont im ive youre"),
    ("past", -1.0, "was were had fell walked turned looked felt knew stood sat came went took watched waited burned met swore heard lived kept gave began"),
    ("told", -1.5, "said says asked asks asking saying replied whispered thought thinks answered murmured shouted muttered"),
    ("they", -1.0, "he she his her him"),
    ("sorry", 0.5, "sorry apologies"),
    ("self", 0.5, "i i'm i've i'll i'd im ive my me"),
    ("bye", 1.5, "bye zzz zzzz gnight goodnight g'night"),
    ("all", 1.5, "guys folks y'all yall"),
    ("everyone", 1.0, "everyone everybody"),
    ("dice", 2.5, "d20 1d20 2d6 1d6 d6 d100 modifier modifiers nat20 rerolled reroll rerolling dicebot autohit autohits"),
)  # fmt: skip
"""Name, weight, words each of which is the feature."""

PHRASES: tuple[tuple[str, float, str, str], ...] = (
    ("ooc", 3.0, "character", r"\b(?:out of|not in) character\b"),
    ("short", 2.5, "sorry apology apologies apologise apologize forgive slow short bit",
     (r"\b(?:sorry|apolog(?:y|ies|i[sz]e)|forgive)\b[^.!?\n]{0,40}\b(?:short|brief|late|delay|wait|long|length|slow|rambl\w*|quality|english|typos?|spelling|double[- ]post\w*|repl(?:y|ies)|absence|silence|rushed|crappy?|spot)\b"
     r"|\bslow (?:repl|post|to)\w*|\bshort (?:one|post|reply)\b|\bbit (?:short|rushed)\b")),
    ("thread", 1.5, "sign sheet scene", r"\b(?:(?:this|next|end|our|opening) scene)\b|\bsign-ups?\b|\bcharacter sheet\b"),
    ("play", 2.0, ("dibs assume assumed playing npc npcs npcing wrote written writing rewrote rewritten wrap late short mine join play jump get too next know free mind edit change fix adjust ok okay fine alright right grabs posts post cue turn kill npc replot plot proofread "
     "proofreading goosebumps dead board rp day week tag tagging skip timeskip black block muse wait english translate count new gentle long forever open write anyone character characters char pc who's whos pressure length round excited quick back over warms warm easy point pov google hope something excuse finish remind guy love loving caught catch got"),
     (r"\b(?:dibs|can (?:i|we|anyone|anybody|somebody) (?:still )?(?:join|play|jump|get)|too late to|get in on this|(?:my|your|their|his|her) (?:char(?:acter)?s?|muse|pc|turn to post)|next (?:post|turn)(?!,? (?:and|of|at|was|house|office))"
     r"|i(?:'m| am| have)? (?:assum(?:ed|ing)|play(?:ing)?|npc\w*|wrote (?:this|it|these|too)\b|writ(?:e|ing|ten)|rewrot\w*|rewritten)|i've (?:written|rewritten|assumed)|let me know|feel free|correct me|does any(?:one|body) mind"
     r"|(?:happy|glad) to (?:edit|change|fix|adjust)|ok(?:ay)? (?:with|if)|hope (?:it's|this is|that's|thats|its) (?:ok(?:ay)?|alright|all right|fine)|up for grabs|your (?:posts?|cue|turn)|kill (?:him|her|them|off) off"
     r"|skip me|to write|write (?:more|a|it)|re-?plot|proofread\w*|goosebumps|(?:dead|last|old) (?:game|board|rp)|posts? (?:a|per) (?:day|week)|jump in|tag(?:ging)? (?:me|you)|time ?skip|fade to black"
     r"|wrap (?:this|it) up|writer'?s? block|my muse|muse is|who'?s next|next up|no pressure|match (?:your |the )?length|next round|(?:back|over) to you\b|so excited|quick one|warms? up later|go easy on|point of view|pov|had to google|hope (?:this|that) works|get something up|excuse the|finish (?:this|it|later|in the)|(?:can|could|some(?:one|body)|any(?:one|body)|please|pls) remind me|my guy|i(?:'m)? (?:so )?(?:lov(?:e|ing)) (?:how|this|that|the way)|catch up on|caught up|got (?:so |too |really |very )?(?:long|short)|can'?t wait (?:to see|for)|english isn'?t|google translate|word count|new here|be gentle|took (?:me )?(?:so|too) long|took (?:me )?forever|open to any(?:one|body))\b")),
    ("table", 2.0, ("wanted post posts reply replies answer thread scene sheet order plot claim turn ok okay alright cool works suits good wild else nobody anybody whoever question questions tooth wants minds "
     "bring introduce assume assuming player players idea ideas moving forward ahead wait waiting hold slot spot room closed open voted vote votes list knee glad feel better soon whole fun funny funnier funnily spooky typo typos redo retry lazy shorter longer rush rushed crap filler rusty brain tired"),
     (r"\b(?:(?:my|your) (?:(?:last|next|whole|first|own|short|late) )?(?:posts?|starter|sheet|app)\b(?! (?:office|of|at|as|in)\b)|(?:post|send|finish|need|make|fill out) (?:a|the|your|my) sheet|(?:whole|entire) post|(?:will|i'll|can|to|gonna) (?:reply|post|answer) (?:to (?:this|you|that|it)|tomorrow|tonight|later|soon|when|once|properly|first|now|asap)|post(?:ing)? order|order (?:is|of posting)|plot (?:point|hook|twist|idea|hole)s?|face ?claim"
     r"|is (?:this|that|it) (?:ok(?:ay)?|alright|all right|cool|fine)\W*(?:\?|$|with|if|for|by)|(?:works|suits|fine|good|okay?|cool) (?:for|by|with) (?:me|us|everyone|you|everybody)\b|suits me|sounds (?:good|great|fun|perfect|awesome|cool)|(?:never|not) too late|go wild|if (?:no ?one|nobody|any(?:one|body)|some(?:one|body)) (?:else )?(?:wants?|wanted|minds?|needs|is (?:up|interested))"
     r"|(?:this|that|it)(?:'s| is) (?:for|open to|up to) (?:who(?:ever)?|any(?:one|body)|you (?:all|guys))|who (?:wants?|is up|else)\b|questions? (?:to|for) \w+|i can (?:bring|introduce|add|play|write|move|drop|throw|send|use|have)|(?:move|moving|skip|skipping) (?:this|us|it|things|ahead|forward|along)|(?:waiting|wait) (?:on|for) (?:\w+ to (?:post|reply|answer)|a reply|replies)"
     r"|hold(?:ing)? (?:a|my|your) (?:spot|slot)|room for (?:one|two|a few|another)|(?:not|still|is this|thread'?s?|now) (?:closed|open)\b(?=\W*(?:$|for\b|to\b|\?|!))|(?:i )?voted|keeping the list|glad (?:you|your|the|it|that|this|to hear)|feel better|get well|(?:more|so|too|such) fun(?:ny)?\b|funnier|brain (?:is|isn'?t|has|not)|so tired|ignore (?:the|my|any) (?:typos?|mistakes|errors)|typos?|bad (?:post|writing)|(?:a bit|bit|so|feeling|little) (?:lazy|rusty|rushed)|filler|crap post|another player|other players?|all players|players\b(?= (?:please|can|should|only)))")),
    ("turns", 2.0, ("cutting ending end leave take moving push wrote writing rping playing player assuming fun others jump join react respond handle next something enough rush replying respond muse thread sense ok okay alright request drop assuming interested bump bumping bumped sign count turn turns still vote votes locking locked pm post "
     "mia garbage trash mistakes formatting grammar mess confusing forgive excuse pardon sweet accepted approved welcome sheet dodge autohit reread rereading behind catching inspired inspiration motivation hooked obsessed invested dying crying screaming loving"),
     (r"\b(?:(?:others|you|people|someone|everyone) (?:can|could|to) (?:react|reply|post|jump in|respond|catch up)|(?:want|wants|wanna|like) to (?:jump in|join (?:in|us|this)|take (?:the|this|it) (?:next|from|over)|go (?:first|next)|react|respond)|(?:handle|decide|write|see) what happens(?: next)?|gives? (?:you|him|her|them|everyone) (?:something|enough|anything)|(?:something|enough|anything|lots?) to (?:work with|reply to|respond to|go on)"
     r"|too much fun|no rush|take your time|what to (?:write|post|do (?:next|here|with (?:this|him|her|them)))|where to (?:go with|take) (?:this|it|from here)|(?:lost|no|my|have|low|zero) muse|this (?:thread|rp|game|board|forum|site)\b|first (?:post|thread|rp|time (?:writing|posting|rping|playing (?:a|an|here|this|in)\b))|not my best|be nice|your (?:go|move)\b(?=[.!?:)\]]|$)|(?:the )?next bit|(?:stop|leave it|end it|ending it|cut it|cutting) here|(?:hope|if) (?:this|that|it|any of this) makes sense|(?:if|hope) (?:that|this|thats|it)(?:'s| is)? (?:ok(?:ay)?|alright|all right|cool)"
     r"|plot drop|^\W*assuming|still interested|(?:^|[.!?] ?)bump(?:ing|ed)?\b|sign me up|count me in|whose turn|turn order|are we (?:still|doing)|(?:dropping|drop) out|(?:i|my) votes? (?:is |we |for )|locking this|pm me|i'll (?:edit|get (?:a|my|something)|have (?:a|my) (?:post|reply)|try to (?:post|reply|get))|one more player|been mia|^\W*(?:sorry|apologies)\b[^.!?\n]{0,40}\b(?:mia|garbage|trash|bad|awful|lame|forgot|missed|mess|messy|confusing|all over)"
     r"|(?:excuse|forgive|pardon|ignore) (?:the |my |any |all )*(?:mistakes?|typos?|errors?|formatting|grammar|spelling|mess|rambling|wait)|short and sweet|(?:you're|your character is|char is) (?:accepted|approved)|^\W*(?:accepted|approved)!|(?:move|moving|push) us along|(?:free to|can|have \w+) (?:dodge|autohit)|re-?read(?:ing)? (?:this|the thread|everything)|(?:so|too|a bit|little|way) behind|(?:catching|playing catch)[- ]up|(?:no|zero|out of|low on) (?:inspiration|motivation)|(?:so|am|i'm) (?:hooked|obsessed|invested)|i(?:'m| am) (?:dying|crying|screaming) (?:at|over|lol))")),
    ("desk", 2.0, ("favorite favourite fave fav scene part player players questions question map using missed love loved enjoy enjoying enjoyed writing cut trim trimmed words 1k 2k 3k edit fix tell work works slow slower around available online free following bear bare patience waiting reading slots "
     "collab rewrite redo scrap delete deleted mistake misread misunderstood confused clarify clarification context fyi spoiler spoilers summary recap tldr link linked playlist song soundtrack moodboard art drew commission inspired reference refs wiki rules rule lore info"),
     (r"\b(?:(?:my |a |new )?(?:favou?rite|fave?) (?:scene|part|thread|post|line|character|chapter|npc)s?|(?:scene|thread|post|chapter) so far|(?:new|another|returning) (?:player|member|writer)s?|(?:player|writer) here|(?:any|has|have|with) questions? (?:about|on|for|re)\b|(?:other|ooc|discussion|sign-?up|plotting|chat) (?:thread|channel|chat)|using (?:the|your|my|\w+'s) (?:map|rules|sheet|notes?|idea)|(?:missed|love|loved|enjoy(?:ed|ing)?|hate|like|fun|miss) writing|writing (?:him|her|them|this|these two|with you)"
     r"|(?:cut|trim(?:med)?|split) (?:this|it) (?:down|up|in two)|\d+k? words\b|(?:will|i'll|gonna|to|can) (?:edit|fix|clean|add to|polish|proof|rewrite|redo|delete) (?:this|it|that|in|later|tomorrow|when|if|my|the typos)|tell me if|(?:does|do|would|will|did) (?:this|that) (?:work|suit|sound|fit|make sense)\b|(?:might|may|will|i'll|gonna|going to) be (?:slow(?:er)?|late|scarce|quiet|offline|around)|i'm around|(?:around|available|online|free) (?:all|later|tonight|tomorrow|this|most|until|till|for)\b|keep (?:going|this going|it going) (?:if|with|or)|bear with me"
     r"|(?:for|your|everyone's) (?:waiting|patience|reading)\b|hope (?:you|everyone|y'all) (?:all )?(?:don'?t mind|enjoy|like|are|had|have)|(?:i )?(?:misread|misunderstood) (?:your|the|that|his|her)|(?:for|some|quick) (?:context|clarity|clarification|reference)\b|spoilers?\b|(?:listening|listened) to .{3,30} (?:while|when) (?:i )?(?:wrote|writing)|moodboard|playlist|(?:i|she|he|they) drew (?:this|him|her)|(?:the|our|site|game) (?:wiki|lore doc)|(?:rules|lore) say|house rules?|pls? (?:read|check|see) the)\b")),
    ("cowriter", 2.0, "you your up thread scene posting weds wed thurs ping housekeeping q without planned word chat load server site reply spotting catching",
     (r"\b(?:up to you(?=\W*$)|you (?:could|can) have \w+ (?=[^.!?\n]*\bif you (?:like|want|prefer))|(?:a|the|own|new) threads?\b|(?:close|end|wrap|finish|start|do|play) (?:this|the|that|our|a) (?:\w+ )?scene|posting (?:tonight|tomorrow|later|soon|now|my|the rest)"
     r"|free (?:on )?(?:mon|tues?|weds?|thurs?|fri|sat|sun)\b(?!day)|ping (?:me|\w+)(?=[^.!?\n]*(?:[.!?)]|$))|housekeeping|quick q(?:uestion)?\b|(?:go|carry|keep) (?:on|going) without me|(?:than|what) (?:what |anything )?i(?:'d| had) planned|(?:don't|do not) (?:touch|change) a word|(?:to|been) write with|write with (?:you|all)"
     r"|(?:the|this) site (?:ate|logged|crashed|keeps|is down)|thanks for (?:spotting|catching) (?:it|that))\b")),
    ("opener", 1.0, "will have had got hope hoping can cant can't didn't didnt absolutely really love loved loving stealing skipping leaving posting trying going gonna need figured forgot missed haven't just count give take go anything no any whoever whoever's long bit pretend poor wow gosh whoops oops yay yes yep yeah yup nope nah ahh ah aww ooh omg hiya heya hey hi hello okay ok alright anyway also that's and thanks thank cheers apologies sorry quick btw ps wait lost rolled had gah ugh argh",
     (r"(?:^|[.!?)] )\W*(?:will (?:fix|edit|post|reply|try|add|get|write|catch)\b|have to (?:go|head|run|sleep|dash|bow)\b|had to (?:run|google|look up|make up|guess|cut|split|dash|rush)\b|got (?:called in|caught up|held up|stuck|distracted|sick)|hop(?:e|ing) (?!was|is|had)|can'?t (?:make|wait|remember|find|decide|do|believe)\b|didn'?t (?:get|want to|mean|realise|realize)|(?:absolutely |really |totally |just )lov(?:e|ed|ing)\b|lov(?:e|ed|ing) (?:this|that|your|how|the)\b|stealing|skipping|leaving (?:it|this|that)|posting|trying to|going to|gonna|need to|figured|forgot|haven'?t|just (?:checking|wanted|want|saw|a (?:quick|short|heads|reminder|note|little|bit)|to (?:let|say|check|clarify|be clear)|so (?:you|we|every)|got (?:home|back|in)|realised|realized|noticed|popping|dropping|letting|in case)|count me|give me (?:a|until|till)|take (?:a bow|your time|care)\b|"
      r"go (?:for it|ahead|easy|wild|nuts)\b|anything else|no (?:idea|worries|problem|clue|biggie)\b|any (?:ideas|thoughts|takers|chance|objections)\b|whoever(?:'s| is| wants| goes| has)|long (?:week|day|time)\b|bit of a|pretend|poor \w+[.!]|wow\b|gosh\b|whoops|oops|yay\b|yes!|yep\b|yeah\b|yup\b|nope\b|nah\b|a+h+h[,.! ]|aww+|ooh+|omg|hiya|heya|hey\b|hi\b|hello (?:all|every|there)|ok(?:ay)?[,!.]|ok(?:ay)? so|alright[,!.]|anyway|also[,—-]|and that's|that's (?:a wrap|it from|all from|me|fine|great|perfect|it for)\b|thanks?\b|cheers\b|apologies\b|quick (?:update|question|note|one|q|post|reply|reminder)\b|btw|ps\b|wait, (?:when|did|who|what|is|are|how|where|so|i)\b|lost (?:power|internet|my)\b|rolled an?\b|gah\b|u+gh+\b|argh\b)")),
    ("table talk", 1.0, "notification notifications feedback criticism critique contest entry typing spelled chapter chapters session npc sheets sheet interested whoever posted describe lurker poster edited spelling tense skimmed babysitter surgery scenes players fic pages topic mistakes push move shut else match fudged turned dream laws howling crying shivers replies live join mod lock line silly",
     r"\b(?:notifications?|feedback|criticism|critique|contest|typing|(?:re)?spelled|chapters?|live session|(?:character|char) sheets?|still interested|lurker|(?:first|long) time (?:lurker|poster|reader)|(?:past|present) tense|babysitter|surgery|in-laws|push (?:it |this |us )?(?:back |on )?to (?:mon|tues|wednes|thurs|fri|satur|sun)|move us on|shut up now|(?:somebody|someone) else (?:have a|to) |match it\b|fudged|for whoever|whoever's|dreams? i (?:told|had)|turned into a (?:novel|monster)|(?:other|wrong|last|this|main) topic|full of (?:mistakes|typos)|i'm howling|not crying|(?:to|can i|we) join\b|lock this|(?:this|that|last|which) (?:line|scene|thread|post)|(?:mirror|it|this|that)(?:'s| is| was) too silly|miss a page|death scene|fight scene|love scene)\b"),
    ("moved", -1.0, "they it the that", r"\bthat (?:night|morning|evening|afternoon|year|summer|winter|spring|autumn)\b|\b(?:they|it|the (?!thread|forum|site|server|post|browser|board|scene|game|last|first)\w+) (?:\w{2,}ed|were|rode|ran|came|went|stood|fell|began|lay|sat|hung|shook)\b"),
    ("tags", 2.0, "tag tags tagged tagging", r"^\W*(?:tags?|tagg(?:ed|ing))\b:?(?: @?\w+(?: and| &|,)?){1,5}\W*$"),
    ("brb", 3.0, "brb bbl bbiab afk gtg g2g bump bumping bumps me", r"^\W*(?:brb|bbl|bbiab|afk|gtg|g2g|bump(?:ing|s)?)\b|^/me\b"),
    ("pages", 1.5, "your my our", r"\byour (?:own |last |latest |first |next |previous |lovely |gorgeous )?(?:posts|repl(?:y|ies)|starter|intros?|char(?:acter)?s?|muses?|prose|chapters?|fics?|npcs?|writing)\b|\b(?:my|our) (?:own |last |latest |first |next |previous |other |new |usual )?(?:starter|intro(?:duction)? post|char(?:acter)?s|muses|chapters?|fics?|npcs?|beta|app)\b|\bour characters?\b"),
    ("plan", 2.0, "please everyone everybody skip should shall could can do did we turn whose who's next posting post posts wait waiting shout yell yelp holler poke assuming assume guessing mind minds minded change ignore delete leaving left leave so over jumping jump hop hopping hopped join joining drop dropping bow bowing want anyone happy free move puppet control kill play agreed settled starting start up",
     (r"\b(?:time[- ]?skip|(?:should|shall|could|can|did) (?:we|i) (?:just |maybe |all )?(?:skip|jump|move|fast|time|continue|assume|pick|wrap|say|start|restart|agree|have (?:him|her|them|the|it|our)|bring|add|use|play|do (?:a|the|this|that|it))\b|skip (?:\w+'s turn|to (?:the|when|after|where)|over|ahead|a (?:day|week|bit|few))|(?:who's|who is) (?:posting|left to post)\b|(?:posting|post|posts|up|going|goes) next\b|(?:wait|waiting|waits) (?:for|on|till|until) [\w']+(?: \w+)? (?:to (?:post|reply|answer|go|catch|react)|posts?|repl(?:y|ies)|answers?\b|goes|reacts?|application|app)|(?:kinda |it's |not |now |is it )?(?:my|his|her|your|\w+'s) turn(?= (?:to (?:post|reply|write|go)|but|btw|next|now\?|i think))|still waiting on|"
      r"(?:shout|yell|yelp|holler|poke me|speak up|say(?: so)?|tell me|pm me) if\b|if (?:not|so),? (?:just )?(?:shout|yell|say|tell me|let me)|(?:just|please) (?:say|shout|yell|holler|poke)\b|\(i'm assuming|i'm (?:assuming|guessing) (?:that|you|he|she|they|we|it)\b|i assumed (?:that )?(?:they|he|she|you|we|it|nobody|everyone)\b|(?:hope )?(?:no ?one|nobody|any(?:one|body)|you|that) (?:don't |doesn't |won't )?minds? (?:me|if)|(?:would|do) you mind if|mind if (?:i|we|my|our|\w+) |(?:change|ignore|delete|edit|redo|swap|tweak) (?:it|this|that|mine|any of it|whatever|anything|me) (?:if|as you|to)|and i'll (?:rewrite|edit|change|fix|redo|delete)|"
      r"(?:leaving|leave|left) (?:it|this|that|things|him|her|them) (?:there|here|open|off|up) (?:so|for)|(?:everyone|everybody) (?:please|rolls?|posts?|okay?|good|happy) |please (?:roll|post|tag|keep the|use the|pm|don't post|do not post)\b|so (?:that )?(?:you|we|\w+) can (?:jump|reply|respond|decide|answer|react|post|go (?:first|next)|take it|join|have)|over to \w+\W*$|(?:jump|jumping|hop|hopping|hopped) in\b(?! (?:the|a|my|his|her|front|to|bed))|(?:jump|join) in (?:where|when|any|if)|(?:dropping|bowing|drop|bow) out (?:of|for|i)|(?:feel free|free|happy|welcome|want|okay|ok|fine) (?:to|for you to|with you) (?:move|puppet|control|kill|take|play|npc|steer|drag|injure|hit)\w* (?:him|her|them|it|my|\w+ along)|(?:move|drag|take|bring|puppet) (?:him|her|them|\w+) along|kill \w+ off|(?:anyone|who) wants? (?:to (?:play|take|grab|join|be)|in\b)|want(?:s|ed)? to (?:play|npc|post first|write)\b|we (?:agreed|settled|decided|said) (?:on )?(?:this |that |it )?(?:in|over)|(?:get|put) (?:my|a|the) (?:starter|post|reply|intro|opener)|go from there)\b")),
    ("pen", 2.0, "written wrote write writing rewrite proofread unbeta'd beta writer's muse fic fanfic drabble oneshot chapter chapters suck carried got long meant filler hate fun forgot realised realized noticed wrong ignore misread mistyped typo typos spelling copy disclaimer own review reviews comment comments kudos thoughts feedback critique concrit tbc continued prompt wordcount edited edit posted double length fight describing scenes best finished half ooc pasted editing ps thread rating proof lore draft",
     (r"\b(?:(?:half|finally|all) (?:written|finished|wrote)|written (?:in|at|on|by|during|while|from|before)(?= (?:a (?:hurry|rush)|\d|work|the (?:bus|train|plane)|my (?:phone|lunch)))|proof-?read(?:ing)?|unbeta'?d|(?:my|no|with my|lovely|amazing) beta\b|writer'?s block|(?:my|the|lost|no|lost my) muse\b|first (?:ever )?(?:fic|fanfic|oneshot|drabble|rp|attempt at|post here|time (?:writing|posting|playing))|(?:this|next|last|new|two|three|few|more|the|short|long|that) chapters? (?:is|was|tomorrow|tonight|soon|up|will|left|to go|after|took|ended|got|should)|chapters? (?:left|to go)\b|(?:i|i'm|im) (?:suck|so bad|bad|terrible|awful|useless|rubbish|hopeless) (?:at|with)(?: writing)?\b(?=.{0,20}(?:scene|fight|writ|dialogue|accent|names?|descri|action|romance|smut|this))|got (?:a (?:little|bit) )?carried away(?= (?:with|there|here|again)|\W*$)|"
      r"(?:that|this|it) (?:got|came out|ended up|was|is|turned out) (?:meant to be |supposed to be |a bit |so |way |really |too |very )*(?:long|short|rambly|wordy|shorter|longer|longer than \w+ \w+)\b(?=\W*(?:$|oh|sorry|i |,|oops))|(?:was|is) (?:meant|supposed) to be (?:short|shorter|longer|a quick|funny|a drabble)|hat(?:e|ed) (?:this|that|my|how this) (?:post|one|reply)|(?:had|having|have) (?:way |far |so |a lot of |such |too )*(?:much |a lot of )?fun (?:with|writing|here|getting)|(?:i )?forgot (?:to (?:say|mention|add|tag|post|put|roll|include|reply)|(?:that )?(?:she|he|they|you|we) (?:had|was|were|didn't|already|isn't))|(?:just )?(?:realised|realized|noticed|saw) (?:that )?(?:i|you|we) (?:wrote|put|said|had|missed|forgot|called|used|posted|never)|"
      r"(?:i (?:wrote|put|said|had)|wrote) [^.?!\n]{1,20} (?:and|but|when|where) you (?:had|wrote|said|put)|(?:my|our) bad\b|wrong (?:thread|name|tab|account|window|character|forum|door number|tense)|ignore (?:me|this|that|the)\b(?=\W*$| if| post| last| bit| part| above)|misread (?:your|the|that|his|her|it)|copy[- ]?past\w+|disclaimer|(?:don't|do not) own (?:any|these|this|the|harry|star|it)|(?:comments?|reviews?|feedback|thoughts?|critique|concrit|kudos|suggestions) (?:are |is |always |very |much |and )*(?:welcome|appreciated|always|loved|please|help)|thoughts\?|tbc|to be continued|double[- ]?post\w*|mid[- ]post|(?:not|hardly) my best|the rest:|for the rating|word ?count|(?:had|have) to (?:make up|invent|guess) (?:a name|the name|an? )(?=.{0,40}(?:you|if|hope))|edited (?:now|to|for|it|that|my|this|mine)|(?:want|need) me to (?:edit|change|fix|rewrite|redo|post|delete)|(?:moving|move|kick|nudge|bump) (?:things|the scene|the plot|the story|us) (?:moving|along|forward|on)|(?:to )?(?:keep|get) (?:things|this|it|the thread) (?:moving|going|alive|rolling))\b|\bthoughts\?")),
    ("praise", 1.5, "post posts reply line lines ever best love loved loving adore chills goosebumps amazing awesome hilarious gorgeous brilliant beautiful perfect lovely fantastic guys killing suspense wait laughed laughing cackled cackling cackle coffee poor idea ideas kind words means lot missed writing great see nice done well fun ooh wow yay spoil",
     (r"\b(?:(?:post|reply|line|scene|bit|starter|chapter|intro|that|this|thread)(?: of yours)? (?:is|was|were|are) (?:so |just |absolutely |really |utterly |completely )*(?:gorgeous|beautiful|amazing|awesome|hilarious|brilliant|fantastic|stunning|perfection|incredible|lovely|great|wonderful|so good|everything)|best (?:line|post|reply|thread|npc|villain|scene|chapter|intro|character) ?(?:ever|yet|so far|of)?\b|(?:had|got|gave me|giving me) (?:actual |the |literal )?(?:chills|goosebumps)|(?:love|loved|loving|adore|adored) (?:this|that|your|the|how|where|writing|it|playing|him|her|them|\w+) (?:rp|posts?|lines?|scene|thread|bit|idea|is going|so much|already|here|btw|with you)|you (?:guys|all|lot|two|people) (?:are|is|rock|rule)\b|(?:killing|murdering|destroying) me\b|"
      r"can'?t wait (?:to|for|till|until)|(?:i |we |nearly |actually |properly |literally )+(?:laughed|cackled|cried|snorted|squealed|screamed|spat)\b|made me (?:laugh|cry|snort|cackle|smile|tear up)|(?:like|love) (?:that|this|the|your) idea|good idea|kind words|means (?:a lot|so much|the world)|miss(?:ed)? (?:you|this|writing|rping|playing)|did not see that coming|didn't see that coming|so much fun|great (?:post|reply|work|job|start|idea|scene)s?|nice (?:post|one|work|job)\b|well (?:written|played|done)\b|lovely (?:post|writing|reply|work)|(?:don't|didn't) (?:even )?want to (?:reply|post|spoil|ruin|follow)|^\W*(?:ooh+|wow+|yay+|aah+|ahh+|aww+|gah+|argh+|ugh+|eek+|omg)\b)")),
    ("hello", 1.5, "welcome new aboard here open taken around merry happy christmas birthday new night nights year soon around logged active forgotten dead reply proper real full grounded library phone laptop internet nights holidays flu back miss lurking lurk replies replying behind battery scarce quiet slow slower train bus mobile bed asleep sleep keyboard lunch break caught anyone is see late sick kiddo swamped weeks hurry rush tired browser forum site server roller dicebot connection eyes weekend week",
     (r"\b(?:welcome (?:aboard|back|to the (?:thread|game|group|site|forum|rp|party|board)|in)\b|(?:i'm|am|im|i am) (?:new|back|here|around|alive|not dead)(?: (?:here|to|now|and|again|too))?(?=\W|$)(?! (?:the|a|in|on|my)\b)|is (?:this|it|there|the thread) (?:still |spot |any )*(?:open|taken|full|free|room|space|going|alive|active)\b|any(?:one|body) (?:still |else )?(?:around|about|alive|active|there|here|seen|heard from)\b|(?:merry|happy) (?:christmas|birthday|new year|holidays|easter|halloween|thanksgiving)|see you (?:all|guys|in the new|next|monday|sunday|on)|(?:hasn't|haven't|not|never) (?:been )?(?:logged|posted|replied|forgotten|dead|abandoned)|(?:proper|real|longer|full|actual|decent) (?:reply|post|response)\b(?! of)|(?:got|been|i'm|am) grounded|(?:no (?:laptop|internet|computer|signal)|(?:from|on) my (?:laptop|phone|mobile|tablet)|on mobile)\b|(?:internet|wifi|connection|power|router|laptop|computer|phone|browser|site|forum|server|dice ?roller|dicebot)(?:'s|s| is| has| just| was| kept| keeps)? (?:been |just |gone |being )?(?:down|out|died|dead|froze|frozen|broken|broke|crashed|crashing|ate|eaten|lost|slow|dying|acting|playing up)\b|(?:ate|lost|deleted|swallowed) (?:my|the|half) (?:\w+ )?(?:post|reply|version|draft)|"
      r"what did i miss|lurking|(?:slow|quiet|scarce) (?:on|with|to|this week|next week|for|replies|at replying)|(?:late|behind) (?:on|with|to) (?:my|this|the|these|replies|posts)|(?:phone|battery|laptop)(?:'s| is|) (?:on|at) \d+ ?%|repl(?:y|ies|ying|ied) (?:tomorrow|tonight|soon|later|when|by|slow\w*|(?:are|is|will be|may be|might be) (?:slow|late|short))|fall(?:ing)? asleep (?:at|on|over) (?:the|my) (?:keyboard|desk|laptop)|off to (?:bed|work|sleep|class|school)|on nights\b|lunch (?:break|hour)|caught up|catch up (?:on|with)|(?:kid|kiddo|baby|daughter|son|toddler|wife|husband|dog)(?:'s| is| are|'re) (?:sick|ill|poorly|home|crying|asleep|teething)|(?:bow|bowing|log|logging|sign|signing) (?:out|off) (?:for|now|here)|(?:bit|this|that) (?:of a )?(?:hiatus|break)\b|(?:took|taken) (?:me |so |this |far |too )*(?:so long|all day|all week|ages|forever|a while|too long)|haven't (?:written|posted|rped|done this|been on)|bear with|no rush on)\b")),
    ("query", 1.0, "quick rules question we did is are who where which does anyone can should how what still key scene thread you agree map scrolled page pages",
     (r"\b(?:(?:quick|rules?|dumb|silly|stupid|random) (?:rules? )?question|are we (?:inside|outside|still|in|at|on|all|near|supposed|going|assuming|allowed|doing)\b[^.!\n]*\?|(?:did|do|have|should|could|can) we (?:skip|all|already|ever|still|have|agree|know|establish|decide|need)\b[^.!\n]*\?|(?:is|are) (?:it|he|she|they|we|there) still\b[^.!\n]*\?|(?:who|which of (?:us|you)) (?:has|have|is|are|was|else|all)\b[^.!\n]*(?:right now|again|currently|at the moment|in this scene)[^.!\n]*\?|(?:in this|this|the|last|next|in the) (?:scene|thread|round)\b[^.!\n]*\?|scrolled (?:back|up)|(?:i'm|im|am i|i am) (?:lost|confused)\b[^!\n]*\?|what (?:do|does|did) (?:you|everyone|everybody|people|we) (?:all )?(?:think|want|reckon|prefer)\b|any ideas|up to you\b|up to (?:everyone|the gm)|does (?:that|this|it) (?:work|fit|make sense|count|sound)|(?:can|could) (?:i|we|she|he|they) (?:have|get|bring|use|still) (?:an? |the |my |in )?\w+ ?\w*\?(?=\W*(?:please|pretty|$)))")),
    ("dice", 2.5, "damage hit perception stealth insight athletics acrobatics persuasion deception investigation intimidation sleight arcana survival strength dexterity constitution wisdom charisma agility luck str dex wis dis disadvantage advantage fail failed success total points throw throws check edition dc nat natural roll rolled crit crits hp d4 d8 d10 d12 3d6 4d6 2d8 2d10 1d4 1d8 1d10 1d12 1d100 2d20",
     r"\b(?:\d{0,2}d(?:4|6|8|10|12|20|100)\b|dc ?\d+|nat(?:ural)? ?(?:20|1)\b|(?:need|have|forgot) to roll|rolled (?:an? )?\d+|roll for|points? of \w+ damage|hit points|saving throws?|(?:make|roll|give me) (?:an?|another) (?:\w+ ){1,3}check|(?:an?|more of an?) \w+ check\b|(?:first|second|third|fourth|fifth|new) edition|crits?\b|\d+ ?hp|roll(?:ed|ing)? (?:with|at) (?:dis)?advantage|(?:an? )?\d+ to hit|(?:perception|stealth|insight|athletics|acrobatics|persuasion|deception|investigation|intimidation|sleight of hand|arcana|survival|strength|dexterity|constitution|wisdom|charisma|agility|luck|str|dex|wis)(?: (?:check|save|roll))?\W{1,3}[+-]?\d+|(?:roll(?:ed)?|total|dice)\W{1,3}\d+|\d+ (?:fail|success)(?:ed|es)?)\b"),
    ("life", 1.5, ("life hectic airport paper project report due work uni college class dentist gym boss mum mom gran kid kids baby laptop phone wifi internet computer power flatmate roommate exam exams final finals midterm midterms shift shifts cat dog english degree "
     "posted dropping autocorrect keyboard deadline deadlines homework assignment assignments house flat shifts real holiday vacation mobile migraine flu covid school lecture lectures rehearsal thesis essay dissertation car train router wi pc charger battery husband wife hubby bf gf girlfriend boyfriend roomie meds back knee tooth cold fever headache rough typing bus up sick ill busy swamped awake asleep"),
     (r"\b(?:(?:at|from|to|after|off|with|before) (?:work|uni|college|class|the dentist|the gym)|work is|posted from|keeps dropping|my (?:boss|mum|mom|gran|kids?|baby|laptop|phone|wifi|internet|computer|power|flatmate|roommate|exams?|finals|shifts?|cat|dog"
     r"|english|degree|autocorrect|keyboard)|exams?|finals|midterms?|deadlines?|homework|assignments?|life (?:got|is|has been|happened|hit)|hectic|swamped|airport|(?:essay|paper|project|report) (?:is )?due|moving (?:house|this|flat)|no (?:internet|wifi)|double shifts?|real life|on (?:holiday|vacation|mobile)|degree in|migraine"
     r"|(?:my|the) (?:car|train|dentist|wi-?fi|router|pc|charger|battery|husband|wife|hubby|bf|gf|girlfriend|boyfriend|roomie|thesis|essay|sleep schedule|meds|back|knee|tooth)\b(?= (?:is|has|died|keeps|broke|hurts|went|got|needs))|(?:at|got|from|after|in) (?:school|lectures?|rehearsal)|thesis|dissertation|(?:had|have|got) a (?:cold|fever|headache|migraine|rough (?:day|week)|long (?:day|week))|rough (?:day|week)|phone (?:died|is dying)|typing (?:this )?(?:on|from)|the flu|covid|autocorrect|walking the dog|been (?:sick|ill|busy|swamped|awake)|power (?:went|is) out|fell asleep|the bus|up early|up at \d+)\b")),
    ("away", 1.5, "heading head early out town need back away off gone busy till til until by from before on over since more home bed night utc gmt hiatus gtg dinner asleep going quiet gotta have must see vanish vanished vanishing sleep leave",
     r"\b(?:back (?:on|in|at|by|from|to)? ?(?:mon|tues|wednes|thurs|fri|satur|sun|tomorrow|tonight|later|soon|a (?:bit|min)|the weekend)\w*|be back|got back from|back from (?:vacation|holidays?|hols|work|school|uni|hiatus|my)\b|back in \d+|vanish(?:ed|ing)?|i vanish|sleep (?:time|now)|leave it there|gone for|i(?:'m|m| am)? ?(?:away|off|gone|busy) (?:till?|until|from|for|on|this|next|all|\d\S*)"
     r"|(?:till?|until|by|from|before|on|over|since) (?:the )?(?:\d+(?:st|nd|rd|th)(?! (?:of|century|day|time|street|floor|hour))|" + _DAY + r"|christmas)|(?:heading|head) (?:out|off|to bed)|early (?:start|morning|shift)(?=\W*(?:$|so|tomorrow|night))|out of town|(?:need|going) to sleep|(?:when|once|after) i(?:'m| am| get| come)? (?:back|home|off|done|free)|(?:more|rest) (?:is )?(?:coming|to come)|more (?:tomorrow|later|soon)|get home|before bed|going quiet|gone quiet|bed (?:now|time)|(?:off to|going to) bed|(?:gotta|have to|must) (?:run|dash)"
     r"|see (?:you|ya) (?:all|tomorrow|then)|good ?night all|night,? (?:all|everyone|folks)|(?:utc|gmt) ?[+-] ?\d+|hiatus|gtg|dinner|asleep)\b"),
    ("thanks", 1.0, "thank thanks welcome congrats great love loved adore chills best happy", r"\b(?:thank(?:s| you)|welcome (?:aboard|back)|congrats|great (?:post|scene|thread)|loved? (?:this|your|that|him|her|it)|i adore|gave me chills|best thread|happy (?:new year|birthday|christmas|holidays))\b"),
    ("note", 1.0, "note sure idea sorry apologies heads hi hey also whoops ps p anyway anyways oops whoops ok okay kind ignore purpose not", r"\b(?:quick note|heads? up|just a note|not sure (?:if|whether|how)|no idea (?:if|whether|how|what)|note to|ps|p\.s|anyways?|oops|whoops|ok(?:ay)? (?:so|ok|going|that|here)|be kind|ignore the|on purpose|^\W*(?:so )?(?:sorry|apologies) (?:if|for|that|about)|(?:hi|hey) (?:all|guys|everyone|folks)|(?<![^\n(\[])(?:hi|hey|also),? |not me (?:writing|crying))\b"),
    ("typos", 2.0, "edit edited", r"^\W*edit\w*\b[^\n]{0,60}\b(?:typos?|spelling|grammar|format\w*|forgot|wrong|missed|fixed|names?|clarity|link)\b"),
    ("card", 5.0, "him her them commissions plots currently owes avatar banner icon icons signature sig graphic graphics layout profile replies", r"\b(?:(?:avatar|banner|icons?|sig(?:nature)?|graphics?|layout) (?:by|from|credit|made)\b|links? (?:is |are )?in (?:my|the) (?:profile|bio|sig)|replies: ?\w|he/him|she/her|they/them|commissions (?:open|closed)|open plots|currently:|owes:)"),
    ("radio", -3.0, "over copy tower mayday servant obedient yours", r"\b(?:over and out|over\.|copy\.|tower|mayday)(?:\s|$)|\b(?:your (?:servant|obedient)|yours (?:truly|faithfully))"),
)  # fmt: skip
"""Name, weight, words without any of which it is not looked for, and how they must stand, in small letters."""

SIGNS: tuple[tuple[str, float, str, str], ...] = (
    ("face", 1.5, ":;=8xX<^_T>o\u00af\U0001f642", r"(?<![\w:])(?:[:;=8xX][-'^o]?[)(DPp3O/|](?![\w/])|<3|\^_*\^|;_+;|T_T|>[._]<|o[._]O|¯\\_)|[\U0001F600-\U0001F64F\U0001F923-\U0001F97A]"),
    ("dice", 2.5, "+", r"\d ?\+ ?\d+ ?(?:=|,|\.|\)|$)"),
    ("shout", 1.0, "!?", r"[!?]{2,}"),
    ("all", 1.5, "@", r"(?<![\w.])@\w{2,}"),
    ("card", 5.0, "|⋆•~✦", r"[|⋆•~✦][^\n|⋆•~✦]{2,40}[|⋆•✦][^\n|⋆•✦]{2,40}[|⋆•✦]"),
    ("card", 5.0, "\x00", r"(?:\x00 ?(?://|[|·•~]) ?){2}"),
    ("radio", -3.0, "<", r"^\s*<\w+>"),
    ("spoken", -2.0, "\x00", r"\x00"),
)  # fmt: skip
"""Name, weight, characters without any of which it is not looked for, pattern. "spoken" is what was between quotation marks or asterisks."""

CONTEXT = {
    "person": 1.5,  # says "I", "my" or "you", where the rest never does outside speech
    "small": 1.0,  # begins without a capital, or does not end a sentence, in a post that does both
    "casual": 1.0,  # "don't", "I'm" or "!", where the rest never has them outside speech
    "now": 1.0,  # "I'm", "you're", "let's" below a story told in the past
    "i": 1.5,  # "i", in a post that never writes it so
    "story": 0.5,  # the rest has speech between quotation marks, actions between asterisks, or a he or she
    "no story": -4.0,  # it has none of these: an ordinary forum, where the writer is the voice
    "bare story": -1.0,  # none of these, but no "I", "you", address or number either
    "same voice": -2.0,  # the rest itself sounds like the writer
    "read out": -6.0,  # what stands before it speaks of a letter, a screen or a voice
    "document": -3.0,  # the post is a letter, log, diary, tape, sheet or chat
    "story thread": 2.5,  # a whole post, where most others of the thread are of a story
    "plain thread": -8.0,  # a whole post, where few are
    "plain post": -3.0,  # a part of a post in such a thread
    "brief": 1.0,  # and it has at most BRIEF words
    "talk": 2.0,  # such a post, where something in it only a writer says, and nothing is told
    "transcript": 3.5,  # a turn of speech as a whole, with `spoken`
    "alone": -3.0,  # nothing else is in the post: there is nothing to compare it with
}

REACH = sum(CONTEXT[name] for name in ("person", "small", "i", "casual", "now"))
"""The most that context can add, but for a story."""
WEAK = frozenset({"self", "when", "sorry", "all", "everyone", "opener"})
"""Features that any narrator may have: of the others, an unmarked paragraph needs OWN, or OWN_BRIEF where it has no more than BRIEF words."""
OWN, OWN_BRIEF, BRIEF = 2.0, 1.0, 30
MOST = REACH + CONTEXT["story"]

_WORDS = {word: (name, weight) for name, weight, words in WORDS for word in words.split()}
_PHRASES = [
    (name, weight, frozenset(words.split()), re.compile(pattern)) for name, weight, words, pattern in PHRASES
]
_SIGNS = [
    (name, weight, re.compile(f"[{re.escape(marks)}]"), re.compile(pattern))
    for name, weight, marks, pattern in SIGNS
]
_TOKEN = re.compile(r"[\w']+")
_VOICED = re.compile(r"\"[^\"\n]{0,2000}\"|“[^”\n]{0,2000}”|«[^»\n]{0,2000}»|(?<!\*)\*[^*\n]{1,2000}\*(?!\*)")
_DOCUMENT = re.compile(
    r"^\W*(?:(?:\w+ ){0,2}(?:log|diary|journal|notebook|addendum|tape|statement|transcript|section|memo|telegram)\b(?-i:[ A-Z0-9,.:—-])|day \d+|dear(?:est)?\s|my dear\b|"
    r"to (?:the|whom|my)\b[^\n]*\n|from the (?:note|log|diar|journal|files)\w*)|^<\w+>|^\[\d\d?:\d\d|^\w+,$|^\[(?!ooc|ot\b)[^\]\n]{1,24}\][^\n]+\n\[(?!ooc|ot\b)[^\]\n]{1,24}\]",
    re.IGNORECASE | re.MULTILINE,
)
_CHAT = re.compile(
    r"^\[(?!ooc|ot\b)[^\]\n]{1,24}\][^\n]+\n\[(?!ooc|ot\b)[^\]\n]{1,24}\]", re.IGNORECASE | re.MULTILINE
)
"""Names in brackets before what each says: a chat of the story."""
_SET_APART = frozenset("([{/~<>-*=")
_LOG = re.compile(r"\W*(?:\w+ ){0,2}(?:log|diary|journal|memo|entry)\b ?[\d:]", re.IGNORECASE)
_I = re.compile(r"(?<![\w'’.*])i(?![\w*.-])")
_PERSON = re.compile(r"\b(?:I|i|my|My|me|you|You|your|Your|we|We|our|us)\b(?!['’]?\s*(?:/|-))")
TELLS = frozenset({"past", "told", "they", "spoken", "radio", "moved"})
"""Features of a story."""
_TALK = re.compile(r"\b(?:I|i|my|My|me|you|You|your|Your)\b|https?:|www\.|@|\d{2}|[:;]-?\)")
_OWN = ("thread", "net", "thanks", "play", "short", "all", "face", "life")
_STORY = re.compile(
    r"[.,!?…—-][\"”]|[\"“][A-Z][^\"”\n]{8,}|(?<![\w*])\*\w[^*\n]* [^*\n]*\*(?!\*)|\b(?:he|she|his|her|him|hers|herself|himself)\b",
    re.IGNORECASE,
)
_CASUAL = re.compile(r"(?:n['’]t|['’](?:m|ve|ll|re)|\b(?:it|that|there|he|she|what)['’]s)\b|!", re.IGNORECASE)
_NOW = re.compile(
    r"\b(?:I['’]?(?:m|ve|ll)|I (?:am|have|think|can|will|hope|love|need|want|don['’]t)|im|ive|you['’]re|you can|you['’]ll|we['’]re|let['’]s|we can)\b",
    re.IGNORECASE,
)
_PAST = re.compile(r"\b(?:was|were|had|did|said|went|came|took|\w{2,}ed)\b", re.IGNORECASE)
_IS = re.compile(r"\b(?:is|are|am|has|does)\b|['’](?:m|re)\b", re.IGNORECASE)
READ = re.compile(
    r"\b(?:letters?|notes?|message|text(?:ed|s)?|screen|read|reads|wrote|written|scrawled|diary|journal|envelope|inbox|e?mail|parchment|radio|speakers?|poster|notice|postcard|telegram|typed|tape|record(?:ing|er)|phone|buzz\w*|ping(?:s|ed)|tannoy|mic|microphone|intercom|headset|comms?|loudspeaker|crackl\w+|minutes|lipstick|fridge|answerphone|machine)\b|:\s*$",
    re.IGNORECASE,
)
"""What stands before a text that is read, heard or written in the story."""
BESIDE = 1500
"""Characters of the rest of a post that are looked at, on each side."""
PER_TRACE = 500
TOLD = -2.5
"""Words that say so much of a story are not looked at further."""
LONG = 60
"""Words from which on chance begins to find features."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sum and what it is of."""

    total: float
    parts: dict[str, float]


@lru_cache(maxsize=64)
def words_score(content: str) -> Scored:
    """What the words are worth, without their form and their context."""
    plain = _VOICED.sub("\x00", content) if any(mark in content for mark in '"“«*') else content
    low = plain.lower().replace("’", "'")
    tokens = _TOKEN.findall(low)
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    for word in tokens:
        if word in _WORDS:
            name, weights[_WORDS[word][0]] = _WORDS[word]
            counts[name] += 1
    if sum(weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items()) <= TOLD:
        counts = Counter({name: n for name, n in counts.items() if name in TELLS})
        parts = {name: weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items()}
        return Scored(sum(parts.values()), parts)
    known = frozenset(tokens)
    for name, weight, words, pattern in _PHRASES:
        if not words.isdisjoint(known):
            counts[name] += len(pattern.findall(low))
            weights[name] = weight
    for name, weight, marks, pattern in _SIGNS:
        if marks.search(plain):
            counts[name] += len(pattern.findall(plain))
            weights[name] = weight
    parts = {name: weights[name] * (1.5 if n > 1 else 1) for name, n in counts.items() if n}
    if len(tokens) > LONG:
        parts["long"] = -(len(tokens) - LONG) / 40
    return Scored(sum(parts.values()), parts)


def context_score(content: str, rest: str, enough: float = -math.inf) -> Scored:
    """What it is worth to stand beside `rest`, the post without it; what it cannot reach `enough` by is not looked for."""
    parts: dict[str, float] = {}
    if not rest.strip():
        if _DOCUMENT.search(content):
            parts["document"] = (
                2 * CONTEXT["document"]
            )  # a letter says "sorry", "tomorrow" and "dinner" of itself
        parts["alone"] = CONTEXT["alone"]
        return Scored(sum(parts.values()), parts)
    kind = "story" if is_story(rest) else "bare story" if _is_bare(rest) else "no story"
    parts[kind] = CONTEXT[kind]
    if parts[kind] + REACH < enough:
        return Scored(parts[kind], parts)
    if _I.search(content) and not _I.search(rest):
        parts["i"] = CONTEXT["i"]
    told, own_voice = _VOICED.sub(" ", rest), _VOICED.sub(" ", content)
    if _PERSON.search(own_voice) and not _PERSON.search(told):
        parts["person"] = CONTEXT["person"]
        plain = content.strip()[:1] not in _SET_APART
        if plain and _NOW.search(own_voice) and _PAST.search(told) and not _IS.search(told):
            parts["now"] = CONTEXT["now"]
        if plain and _CASUAL.search(own_voice) and not _CASUAL.search(told):
            parts["casual"] = CONTEXT["casual"]
    inner = content.strip(" \t\n()[]{}*_~/<>")
    last = rest.rstrip()[-1:]
    if (
        rest.lstrip(' \t\n"“*')[:1].isupper()
        and last in '.!?…"”*'
        and (inner[:1].islower() or inner[-1:].isalpha())
    ):
        parts["small"] = CONTEXT["small"]
    if sum(parts.values()) < enough:
        return Scored(sum(parts.values()), parts)
    if _DOCUMENT.search(rest) or _CHAT.search(content) or _LOG.match(content):
        parts["document"] = CONTEXT["document"] * (2 if _LOG.match(content) else 1)
    own = words_score(rest[:BESIDE]).parts
    if sum(own.get(name, 0) for name in _OWN) >= 2.0:
        parts["same voice"] = CONTEXT["same voice"]
    return Scored(sum(parts.values()), parts)


def brief_score(content: str) -> float:
    """What it is worth for a whole post to be short, and to begin small."""
    small = CONTEXT["small"] if content.lstrip()[:1].islower() else 0.0
    said, words = words_score(content).parts, len(content.split())
    needed = OWN + len(TELLS & said.keys()) + (0.0 if words <= BRIEF else OWN)
    own = own_sum(said) + said.get("opener", 0.0) - max(0.0, said.get("net", 0.0) - OWN)
    talk = CONTEXT["talk"] if words <= 2 * BRIEF and own >= needed and "\n\n" not in content else 0.0
    return small + talk + (CONTEXT["brief"] if words <= BRIEF else 0.0)


def own_words(content: str) -> bool:
    """Whether a paragraph that nothing sets apart says enough that a narrator would not."""
    return own_sum(words_score(content).parts) >= (OWN_BRIEF if len(content.split()) <= BRIEF else OWN)


def own_sum(said: dict[str, float]) -> float:
    """What those features are worth together that a narrator would not have."""
    return sum(weight for name, weight in said.items() if weight > 0 and name not in WEAK)


def is_story(text: str) -> bool:
    """Whether somebody speaks or acts in it, or is a he or a she: once, and once more for every PER_TRACE characters."""
    needed = 1 + len(text) // PER_TRACE
    return sum(1 for _ in islice(_STORY.finditer(text), needed)) == needed


def _is_bare(text: str) -> bool:
    """Whether something is told, by nobody who shows."""
    return not _TALK.search(told := _VOICED.sub(" ", text)) and _PAST.search(told) is not None


def thread_context(posts: Sequence[str]) -> list[float]:
    """For each post of a thread, what the others add to it being an aside as a whole: nothing where they are fewer than three."""
    stories = [is_story(post[: 2 * BESIDE]) for post in posts]
    others, told = len(posts) - 1, sum(stories)
    shares = [(told - own) / others if others >= 3 else None for own in stories]
    return [
        0.0
        if share is None or 0.3 <= share < 0.5
        else CONTEXT["story thread" if share >= 0.5 else "plain thread"]
        for share in shares
    ]
